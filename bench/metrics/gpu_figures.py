"""A turn's GPU figures: flags and energy from the readings before and after it, busy times from a profile.

gpu_throttled     the clocks were reduced: a reason was active at one of the two readings, or the driver's counters of
                  such time grew by over 1 % of the time between them
gpu_shared        a process outside the run used the GPU
gpu_unread        a reading is missing: whether the GPU was throttled or shared is unknown

Idle clocks, and clocks that a user has set, are not throttling.
"""

from __future__ import annotations

from collections.abc import Iterator

from firstpacket.bench.metrics.intervals import covered_ns
from firstpacket.bench.record.gpu import GpuProfile, GpuReading, GpuTelemetry
from firstpacket.bench.record.schema import Evidence, Turn
from firstpacket.bench.vocabulary import Flag, flags_from

THROTTLING = frozenset({"sw_power_cap", "hw_slowdown", "sw_thermal", "hw_thermal", "power_brake"})
THROTTLED_SHARE = 0.01
"""Of the time between the readings; less has no visible effect on any figure."""


def gpu_flags(evidence: Evidence) -> tuple[Flag, ...]:
    """The flags for the system's GPU during a turn, in the order of the registry."""
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
    """The readings of the GPU that the turn's system uses; None if it uses none."""
    gpus = evidence.telemetry.gpus if evidence.telemetry is not None else ()
    return next((gpu for gpu in gpus if evidence.label in gpu.labels), None)


def throttled_by(gpu: GpuTelemetry) -> tuple[str, ...]:
    """Why the clocks were reduced: names from `THROTTLING`, sorted."""
    active = {name for reading in _readings(gpu) for name in reading.reasons or ()}
    return tuple(sorted(THROTTLING & (active | set(_reduced_by_counters(gpu)))))


def is_profiled(turn: Turn) -> bool:
    """Whether a turn was to be profiled: not the turn that warms up the process, nor an interrupted one."""
    return turn.phase == "profiled" and turn.block >= 0 and turn.outcome != "interrupted"


def gpu_figures(evidence: Evidence) -> dict[str, int | float]:
    """Energy and other processes; in a turn under the profiler, also the busy times of the device and its stages."""
    figures: dict[str, int | float] = {}
    gpu, profile = own_gpu(evidence), evidence.profile
    if gpu is not None and (energy_mj := _energy_mj(gpu)) is not None:
        figures["gpu_energy"] = energy_mj / 1000
    if gpu is not None and (others := _other_processes(gpu)) is not None:
        figures["gpu_other_processes"] = others
    return figures | _busy_figures(profile) if profile is not None and profile.work else figures


def _busy_figures(profile: GpuProfile) -> dict[str, int | float]:
    """Of the device and of each stage; stages may overlap, so the device's busy time is not their sum."""
    all_work = [stretch for work in profile.work for stretch in work.stretches]
    figures: dict[str, int | float] = {"gpu_busy": covered_ns(all_work), "gpu_lost_launches": profile.lost}
    for work in profile.work:
        figures[f"stage.{work.stage}.busy" if work.stage else "gpu_busy_unassigned"] = covered_ns(work.stretches)
    return figures


def _readings(gpu: GpuTelemetry) -> Iterator[GpuReading]:
    yield from (reading for reading in (gpu.before, gpu.after) if reading is not None)


def _reduced_by_counters(gpu: GpuTelemetry) -> Iterator[str]:
    before, after = gpu.before, gpu.after
    if before is None or after is None or before.held_back_ns is None or after.held_back_ns is None:
        return
    between_ns = after.at_ns - before.at_ns
    for name, since_ns in before.held_back_ns.items():
        if after.held_back_ns.get(name, since_ns) - since_ns > THROTTLED_SHARE * between_ns:
            yield name


def _other_processes(gpu: GpuTelemetry) -> int | None:
    """The larger number of the two readings; 0 only if both readings say so, None if that is unknown."""
    seen = [reading.foreign_processes if reading is not None else None for reading in (gpu.before, gpu.after)]
    return max((n or 0 for n in seen), default=0) if None not in seen or any(seen) else None


def _energy_mj(gpu: GpuTelemetry) -> int | None:
    """None without two readings, or if the counter restarted because the driver was reloaded."""
    before, after = gpu.before, gpu.after
    if before is None or after is None or before.energy_mj is None or after.energy_mj is None:
        return None
    return after.energy_mj - before.energy_mj if after.energy_mj >= before.energy_mj else None
