"""The bound on the instrument's overhead counts only what it did while the user waited."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from support.command import here
from support.virtual import virtual_run

from firstpacket.bench.metrics.figures import recordings
from firstpacket.bench.record.store import Run, read_run
from firstpacket.bench.report.method import method
from firstpacket.bench.summary.summarise import summarise

MS = 1_000_000
SERIAL = "hear; encoder 4; llm.prefill 6 token; tts 10; packet 100; rest 1; tts 5; packet 100"


def costing(found: Run, ns: int) -> Run:
    labels = tuple(replace(facts, event_cost_ns=ns) for facts in found.segments[0].labels)
    return replace(found, segments=(replace(found.segments[0], labels=labels),))


def test_the_share_is_cost_times_recordings_over_the_latency(tmp_path: Path) -> None:
    found = costing(read_run(virtual_run(tmp_path / "run", {"a": SERIAL})), 10_000)
    paid = summarise(found).labels[0].instrument
    assert paid is not None
    assert paid.recordings == 3 * 2 + 1 + 1 + 1, "three stages, a first output, a hand-off and a packet"
    assert paid.share == paid.largest_share == pytest.approx(9 * 0.010 / 20)


def test_events_before_t0_or_after_the_packet_add_no_latency(tmp_path: Path) -> None:
    found = read_run(virtual_run(tmp_path / "run", {"a": SERIAL}))
    evidence = found.evidence(found.turns[-1])
    first_ns = evidence.trace.packets[0].at_ns
    everything = recordings(evidence.trace, 0, 2**62)
    assert everything == evidence.trace.events
    assert recordings(evidence.trace, first_ns + 1, 2**62) == 5, "the stage, its hand-off, the packet, and the stamps"
    assert recordings(evidence.trace, 0, evidence.delivery.t0_ns - 1) == 0


def test_a_run_without_measured_cost_states_no_overhead(tmp_path: Path) -> None:
    path = virtual_run(tmp_path / "run", {"a": SERIAL})
    assert json.loads(here("show", path, "--json").stdout)["labels"]["a"]["instrument"] is None
    facts = dict(dict(method(read_run(path)).groups)["System a"])
    assert facts["measurement overhead"] == "not measured"


def test_an_answer_before_t0_has_no_share(tmp_path: Path) -> None:
    script = "hear | rest 20; tts 5; packet 100"
    found = read_run(virtual_run(tmp_path / "run", {"a": script}, input="realtime"))
    assert summarise(costing(found, 1000)).labels[0].instrument is None


def test_the_most_expensive_process_of_a_label_counts(tmp_path: Path) -> None:
    """A label that was started again in a resumed run is bound by the worse of its processes."""
    found = costing(read_run(virtual_run(tmp_path / "run", {"a": SERIAL})), 1000)
    dearer = costing(found, 9000).segments[0]
    paid = summarise(replace(found, segments=(*found.segments, dearer))).labels[0].instrument
    assert paid is not None
    assert paid.event_cost_us == 9
