"""What a turn's evidence says of its GPU: flags and energy from the readings beside it, busy time from a profile.

gpu_throttled     the clocks were held back: a reason stood at one of the two readings, or the driver's counters of such
                  time grew by over a hundredth of the time between them
gpu_shared        a process that is not the run's was at work on it
gpu_unread        nothing could be read on one side of the turn: whether it was throttled or shared is not known

That the device idles, or that somebody set its clocks, is no throttling.
"""

from __future__ import annotations

from collections.abc import Iterator

from firstpacket.bench.metrics.intervals import covered_ns
from firstpacket.bench.record.gpu import GpuProfile, GpuReading, GpuTelemetry
from firstpacket.bench.record.schema import Evidence, Turn
from firstpacket.bench.vocabulary import Flag, flags_from

THROTTLING = frozenset({"sw_power_cap", "hw_slowdown", "sw_thermal", "hw_thermal", "power_brake"})
HELD_BACK_SHARE = 0.01
"""Of the time between the readings; less than that moves no figure that anyone reads."""


def gpu_flags(evidence: Evidence) -> tuple[Flag, ...]:
    """The flags of what happened to the label's GPU during a turn, in the order of the registry."""
    gpu = own_gpu(evidence)
    if gpu is None:
        return ()
    found = {Flag.GPU_THROTTLED} if throttled_by(gpu) else set()
    if any(reading.foreign_processes for reading in _readings(gpu)):
        found.add(Flag.GPU_SHARED)
    if gpu.before is None or gpu.after is None:
        found.add(Flag.GPU_UNREAD)
    return tuple(flag for flag in flags_from("gpu") if flag in found)


def own_gpu(evidence: Evidence) -> GpuTelemetry | None:
    """The GPU that the turn's label works on, as it was beside the turn."""
    gpus = evidence.telemetry.gpus if evidence.telemetry is not None else ()
    return next((gpu for gpu in gpus if evidence.label in gpu.labels), None)


def throttled_by(gpu: GpuTelemetry) -> tuple[str, ...]:
    """What held the clocks back, of `THROTTLING`, by name in order."""
    standing = {name for reading in _readings(gpu) for name in reading.reasons or ()}
    return tuple(sorted(THROTTLING & (standing | set(_counted(gpu)))))


def put_under_the_profiler(turn: Turn) -> bool:
    """Whether a turn was to be profiled; the one before, which warms the process up, was not, nor one called off."""
    return turn.phase == "profiled" and turn.block >= 0 and turn.outcome != "interrupted"


def gpu_figures(evidence: Evidence) -> dict[str, int | float]:
    """The energy of the turn and who else was there; in a turn under the profiler, busy times of device and stages."""
    figures: dict[str, int | float] = {}
    gpu, profile = own_gpu(evidence), evidence.profile
    if gpu is not None and (energy_mj := _energy_mj(gpu)) is not None:
        figures["gpu_energy"] = energy_mj / 1000
    if gpu is not None and (others := _others(gpu)) is not None:
        figures["gpu_other_processes"] = others
    return figures | _busy_figures(profile) if profile is not None and profile.work else figures


def _busy_figures(profile: GpuProfile) -> dict[str, int | float]:
    """Each stage's own; stages may be at work at the same time, so the device's is not their sum."""
    all_work = [stretch for work in profile.work for stretch in work.stretches]
    figures: dict[str, int | float] = {"gpu_busy": covered_ns(all_work), "gpu_lost_launches": profile.lost}
    for work in profile.work:
        figures[f"stage.{work.stage}.busy" if work.stage else "gpu_busy_unassigned"] = covered_ns(work.stretches)
    return figures


def _readings(gpu: GpuTelemetry) -> Iterator[GpuReading]:
    yield from (reading for reading in (gpu.before, gpu.after) if reading is not None)


def _counted(gpu: GpuTelemetry) -> Iterator[str]:
    before, after = gpu.before, gpu.after
    if before is None or after is None or before.held_back_ns is None or after.held_back_ns is None:
        return
    between_ns = after.at_ns - before.at_ns
    for name, since_ns in before.held_back_ns.items():
        if after.held_back_ns.get(name, since_ns) - since_ns > HELD_BACK_SHARE * between_ns:
            yield name


def _others(gpu: GpuTelemetry) -> int | None:
    """The larger number of the two readings; that there was nobody must be known of both."""
    seen = [reading.foreign_processes if reading is not None else None for reading in (gpu.before, gpu.after)]
    return max((n or 0 for n in seen), default=0) if None not in seen or any(seen) else None


def _energy_mj(gpu: GpuTelemetry) -> int | None:
    """`None` also where the counter began anew: a driver that was loaded again says nothing of the turn."""
    before, after = gpu.before, gpu.after
    if before is None or after is None or before.energy_mj is None or after.energy_mj is None:
        return None
    return after.energy_mj - before.energy_mj if after.energy_mj >= before.energy_mj else None
