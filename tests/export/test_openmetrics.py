from __future__ import annotations

import pytest
from support.runs import HOSTILE

from firstpacket.bench.export.openmetrics import openmetrics
from firstpacket.bench.record.store import Run
from firstpacket.bench.sanitize import clean

parser = pytest.importorskip("prometheus_client.openmetrics.parser")


def samples(run: Run) -> dict[tuple[str, ...], float]:
    """Every sample by its name and its labels' values."""
    families = list(parser.text_string_to_metric_families(openmetrics(run)))
    assert len({family.name for family in families}) == len(families)
    return {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}


def test_times_are_seconds_by_label_and_statistic(run: Run) -> None:
    found = samples(run)
    first = "firstpacket_first_packet_latency_seconds"
    assert found[first, "quick", "p50"] == pytest.approx(0.1315)
    assert found[first, "quick", "p50_low"] < 0.1315 < found[first, "quick", "p50_high"]
    assert found[first, "quick", "p90"] == pytest.approx(0.1567)
    assert found["firstpacket_stage_host_seconds", "quick", "asr", "p50"] == pytest.approx(0.1315 / 3)
    assert found["firstpacket_packets", "quick", "mean"] == 3
    assert found["firstpacket_turns", "slow", "measured", "timeout"] == 1
    assert found["firstpacket_path_seconds", "slow", "asr", "listen", "host", "mean"] == pytest.approx(0.4 / 3)


def test_absent_figures_are_left_out(run: Run) -> None:
    found = samples(run)
    assert not [key for key in found if key[0].endswith("latency_seconds") and "never" in key]
    assert ("firstpacket_first_packet_latency_seconds", "quick", "p95") not in found
    assert ("firstpacket_first_packet_latency_seconds", "slow", "p50_low") not in found


def test_hostile_texts_stay_in_their_labels(hostile: Run) -> None:
    (info,) = [key for key in samples(hostile) if key[0] == "firstpacket_run_info"]
    assert info[1] == clean(HOSTILE)


def test_a_packet_before_the_end_of_speech_is_a_value_like_others(hostile: Run) -> None:
    assert samples(hostile)["firstpacket_first_packet_latency_seconds", "b", "p50"] == pytest.approx(0.075)
