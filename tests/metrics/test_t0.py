"""The starts of the clock: all are known, one is declared, and figures count from it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.runs import make_evidence, with_options

from firstpacket.bench.metrics.figures import turn_figures
from firstpacket.bench.metrics.t0 import STARTS, all_starts
from firstpacket.bench.record.schema import Delivery, Start
from firstpacket.bench.timing.spans import Mark, PacketStamp, StageSpan, TurnTrace

SEEN = make_evidence(
    delivery=Delivery(t0_ns=1000, start_ns=0, last_frame_ns=1030, lateness_ns=(30,)),
    trace=TurnTrace(
        spans=(StageSpan("asr", 1, 900, 1200), StageSpan("endpoint", 2, 900, 1500), StageSpan("asr", 1, 1510, 1600)),
        marks=(Mark("endpoint", 1500),),
        packets=(PacketStamp(2000, 160, 16_000, 1),),
    ),
    reply_levels=(0.5,),
    kinds={"asr": "asr", "endpoint": "endpoint"},
)


@pytest.mark.parametrize(
    ("start", "latency"), [("speech_end", 1000), ("last_frame", 970), ("endpoint", 500), ("request", 490)]
)
def test_every_figure_counts_from_the_declared_start(start: Start, latency: int) -> None:
    found = turn_figures(with_options(SEEN, t0=start))
    assert found.figures["first_packet_latency"] == latency
    assert found.figures["response_latency"] == latency
    assert found.figures["asr_final_latency"] == latency - 400
    assert sum(part.ns for part in found.path) == latency


@pytest.mark.parametrize("start", STARTS)
def test_distances_between_the_starts_are_always_recorded(start: Start) -> None:
    found = turn_figures(with_options(SEEN, t0=start)).figures
    told = {name: found[f"{name}_delay"] for name in ("last_frame", "request")}
    assert told == {"last_frame": 30, "request": 510}
    assert found["endpointing_delay"] == 500


def test_without_a_detector_the_endpoint_is_the_end_of_speech() -> None:
    seen = replace(SEEN, trace=replace(SEEN.trace, marks=()))
    assert all_starts(seen) == {"speech_end": 1000, "last_frame": 1030, "endpoint": 1000, "request": 1510}
    assert "endpointing_delay" not in turn_figures(seen).figures


def test_a_missing_start_falls_back_to_the_end_of_speech() -> None:
    seen = with_options(SEEN, t0="request", trace=replace(SEEN.trace, spans=()))
    found = turn_figures(seen)
    assert found.figures["first_packet_latency"] == 1000
    assert found.flags == ("no_such_start",), "and no figure of it is compared with those that count from there"
    assert turn_figures(with_options(SEEN, t0="request")).flags == ()


def test_speech_delivered_in_part_has_no_last_frame() -> None:
    for delivery in (Delivery(1000, 0, 600, (1,)), Delivery(1000, 0, 0, ())):
        seen = with_options(SEEN, t0="last_frame", delivery=delivery)
        assert "last_frame" not in all_starts(seen)
        found = turn_figures(seen).figures
        assert "last_frame_delay" not in found
        assert found["first_packet_latency"] == 1000
