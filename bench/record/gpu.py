"""GPU records: which one it is, its state around a turn, and its actual work in a profiled turn.

Readings that a GPU does not provide are `None`, never zero.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GpuIdentity:
    """Which GPU a worker uses: `cuda:0` of a process may be any GPU of the machine."""

    uuid: str
    """As reported by CUDA, without the prefix that NVML adds."""
    pci_bus_id: str = ""
    """`DOMAIN:BUS:DEVICE.0` in hexadecimal digits."""
    name: str = ""


@dataclass(frozen=True, slots=True)
class GpuReading:
    """One GPU at one moment."""

    at_ns: int
    """Host stamp, taken before the first value was read."""
    sm_mhz: int | None = None
    memory_mhz: int | None = None
    reasons: tuple[str, ...] | None = None
    """What limits the clocks at that moment: names of `firstpacket.bench.gpu.nvml.REASONS`."""
    held_back_ns: dict[str, int] | None = None
    """How long the clocks have been throttled since the driver was loaded, by reason."""
    temperature_c: int | None = None
    power_mw: int | None = None
    energy_mj: int | None = None
    """Since the driver was loaded."""
    memory_used_bytes: int | None = None
    foreign_processes: int | None = None
    """Processes using it that do not belong to the run; `None` if they cannot be seen or identified."""


@dataclass(frozen=True, slots=True)
class GpuTelemetry:
    """One GPU just before a turn and just after it, read in the manager, outside the turn."""

    uuid: str
    index: int | None
    """NVML's number of the card; CUDA's may be another."""
    labels: tuple[str, ...]
    """The labels of the run that use it."""
    before: GpuReading | None = None
    after: GpuReading | None = None
    mig: bool = False
    """Whether it is a MIG instance: energy and power are then those of the whole card, and omitted."""
    problem: str = ""
    """Why it could not be read."""


@dataclass(frozen=True, slots=True)
class DeviceWork:
    """When the device really worked for one stage: disjoint intervals, in ns since the profile's first work.

    The stage is empty for work outside any stage.
    """

    stage: str
    pieces: int
    """Kernels, copies and fills."""
    stretches: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class GpuProfile:
    """The profiler's record of the device in one turn; times include the profiler's overhead."""

    work: tuple[DeviceWork, ...] = ()
    lost: int = 0
    """Launches by stages whose work the profiler did not record."""
    problem: str = ""
    """Why there is no profile."""
