"""Figures from GPU readings and profiles of a turn, and the cases in which there are none."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.runs import make_evidence

from firstpacket.bench.codec import decode, encode
from firstpacket.bench.metrics.figures import turn_figures
from firstpacket.bench.metrics.gpu_figures import throttled_by
from firstpacket.bench.record.gpu import DeviceWork, GpuProfile, GpuReading, GpuTelemetry
from firstpacket.bench.record.schema import Evidence
from firstpacket.bench.record.telemetry import Telemetry
from firstpacket.bench.timing.spans import PacketStamp, TurnTrace

BEFORE = GpuReading(0, reasons=("idle",), held_back_ns={"sw_power_cap": 7, "sw_thermal": 0}, energy_mj=1000)
AFTER = replace(BEFORE, at_ns=1000, energy_mj=3500)
CARD = GpuTelemetry("GPU-a", 0, ("direct",), BEFORE, AFTER)


def evidence(*gpus: GpuTelemetry, profile: GpuProfile | None = None) -> Evidence:
    trace = TurnTrace(packets=(PacketStamp(500, 1, 1, 0),))
    return make_evidence(trace, label="direct", telemetry=Telemetry(gpus=gpus), profile=profile)


def flags(**after: object) -> tuple[str, ...]:
    return turn_figures(evidence(replace(CARD, after=replace(AFTER, **after)))).flags  # type: ignore[arg-type]


@pytest.mark.parametrize("reason", ["sw_power_cap", "hw_slowdown", "sw_thermal", "hw_thermal", "power_brake"])
def test_a_throttle_reason_before_or_after_means_throttled(reason: str) -> None:
    assert flags(reasons=(reason,)) == ("gpu_throttled",)
    begun = replace(CARD, before=replace(BEFORE, reasons=("idle", reason)))
    assert turn_figures(evidence(begun)).flags == ("gpu_throttled",)
    assert throttled_by(begun) == (reason,)


@pytest.mark.parametrize("reasons", [(), None, ("idle",), ("applications_clocks", "display_clock"), ("sync_boost",)])
def test_idle_and_user_set_clocks_are_not_throttling(reasons: tuple[str, ...] | None) -> None:
    assert flags(reasons=reasons) == ()


def test_driver_counters_show_throttling_between_the_readings() -> None:
    """1000 ns lie between the readings; a hundredth of them does not count yet."""
    assert flags(held_back_ns={"sw_power_cap": 17, "sw_thermal": 0}) == ()
    assert flags(held_back_ns={"sw_power_cap": 7, "sw_thermal": 11}) == ("gpu_throttled",)
    assert flags(held_back_ns={"sync_boost": 900}) == ()
    assert flags(held_back_ns={"sw_power_cap": 0}) == (), "a driver loaded again begins to count anew"
    assert flags(held_back_ns=None) == ()


def test_other_processes_on_the_gpu_are_flagged_only_if_seen() -> None:
    assert flags(foreign_processes=1) == ("gpu_shared",)
    assert flags(foreign_processes=0) == flags(foreign_processes=None) == ()
    assert flags(foreign_processes=2, reasons=("hw_slowdown",)) == ("gpu_throttled", "gpu_shared")


def test_the_gpu_of_another_label_is_ignored() -> None:
    hot = replace(CARD, labels=("cascade",), after=replace(AFTER, reasons=("hw_thermal",), foreign_processes=3))
    found = turn_figures(evidence(hot))
    assert found.flags == ()
    assert "gpu_energy" not in found.figures
    assert turn_figures(evidence(hot, CARD)).figures["gpu_energy"] == 2.5


def test_energy_is_the_difference_of_two_readings_or_absent() -> None:
    assert turn_figures(evidence(CARD)).figures["gpu_energy"] == 2.5
    for after in (replace(AFTER, energy_mj=None), replace(AFTER, energy_mj=999), None):
        assert "gpu_energy" not in turn_figures(evidence(replace(CARD, after=after))).figures


@pytest.mark.parametrize(
    ("before", "after", "others"), [(0, 0, 0), (0, 2, 2), (2, None, 2), (0, None, None), (None, None, None)]
)
def test_no_other_processes_requires_two_known_readings(
    before: int | None, after: int | None, others: int | None
) -> None:
    card = replace(
        CARD, before=replace(BEFORE, foreign_processes=before), after=replace(AFTER, foreign_processes=after)
    )
    assert turn_figures(evidence(card)).figures.get("gpu_other_processes") == others


@pytest.mark.parametrize("side", ["before", "after"])
def test_an_unreadable_gpu_is_not_taken_for_an_unthrottled_one(side: str) -> None:
    lost = replace(CARD, problem="gone", **{side: None})
    assert turn_figures(evidence(lost)).flags == ("gpu_unread",)


def test_overlapping_work_counts_once_per_stage_and_per_device() -> None:
    work = (
        DeviceWork("encoder", 2, ((0, 100), (200, 300))),
        DeviceWork("vocoder", 1, ((50, 250),)),
        DeviceWork("", 1, ((400, 410),)),
    )
    figures = turn_figures(evidence(profile=GpuProfile(work))).figures
    assert figures["stage.encoder.busy"] == 200
    assert figures["stage.vocoder.busy"] == 200
    assert figures["gpu_busy"] == 310
    assert figures["gpu_busy_unassigned"] == 10
    assert figures["gpu_lost_launches"] == 0


def test_a_profile_that_failed_gives_no_figures() -> None:
    figures = turn_figures(evidence(profile=GpuProfile(problem="no CUPTI"))).figures
    assert not [name for name in figures if "busy" in name]


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), max_size=12))
def test_the_union_counts_every_nanosecond_once(drawn: list[tuple[int, int]]) -> None:
    stretches = tuple((start, start + length) for start, length in drawn)
    figures = turn_figures(evidence(profile=GpuProfile((DeviceWork("tts", 1, stretches),)))).figures
    covered = {ns for start, end in stretches for ns in range(start, end)}
    assert figures["stage.tts.busy"] == len(covered)


def test_gpu_evidence_survives_a_round_trip_to_disk() -> None:
    profile = GpuProfile((DeviceWork("tts", 3, ((0, 5), (6, 9))),), lost=2)
    whole = evidence(CARD, replace(CARD, uuid="MIG-b", mig=True, problem="gone", after=None), profile=profile)
    assert decode(Evidence, encode(whole)) == whole
