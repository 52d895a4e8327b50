"""What the record keeps of a GPU: which one it is, its state beside a turn, and its real work in a profiled one.

Readings that a GPU does not give are `None`, never zero.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GpuIdentity:
    """Which GPU a label's process works on: `cuda:0` of a process may be any GPU of the machine."""

    uuid: str
    """As CUDA gives it, without the prefix that NVML puts before it."""
    pci_bus_id: str = ""
    """`DOMAIN:BUS:DEVICE.0` in hexadecimal digits."""
    name: str = ""


@dataclass(frozen=True, slots=True)
class GpuReading:
    """One GPU at one moment."""

    at_ns: int
    """Host stamp, taken before the first value was asked for."""
    sm_mhz: int | None = None
    memory_mhz: int | None = None
    reasons: tuple[str, ...] | None = None
    """Why the clocks are where they are, at that moment: names of `firstpacket.bench.gpu.nvml.REASONS`."""
    held_back_ns: dict[str, int] | None = None
    """How long the clocks have been held back since the driver was loaded, by reason."""
    temperature_c: int | None = None
    power_mw: int | None = None
    energy_mj: int | None = None
    """Since the driver was loaded."""
    memory_used_bytes: int | None = None
    foreign_processes: int | None = None
    """Processes at work on it that do not belong to the run; `None` where they cannot be told, or not be seen."""


@dataclass(frozen=True, slots=True)
class GpuTelemetry:
    """One GPU just before a turn and just after it, read in the manager, outside the turn."""

    uuid: str
    index: int | None
    """NVML's number of the card; CUDA's may be another."""
    labels: tuple[str, ...]
    """The run's labels that work on it."""
    before: GpuReading | None = None
    after: GpuReading | None = None
    mig: bool = False
    """Whether it is an instance of a card that is divided: energy and power are then not its own, and absent."""
    problem: str = ""
    """Why nothing could be read."""


@dataclass(frozen=True, slots=True)
class DeviceWork:
    """When the device really worked for one stage: disjoint stretches, in ns since the profile's first work.

    The stage is empty for work that belongs to none.
    """

    stage: str
    pieces: int
    """Kernels, copies and fills."""
    stretches: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class GpuProfile:
    """What the profiler saw of the device in one turn; nothing of it says how long a turn takes undisturbed."""

    work: tuple[DeviceWork, ...] = ()
    lost: int = 0
    """Launches by stages of whose work the profiler has no record."""
    problem: str = ""
    """Why there is no profile."""
