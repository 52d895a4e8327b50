"""The state of the machine around a turn, read just before and just after, never during it.

Readings that a machine does not provide are `None`, never zero.
"""

from __future__ import annotations

from dataclasses import dataclass

from firstpacket.bench.record.gpu import GpuTelemetry


@dataclass(frozen=True, slots=True)
class HostTelemetry:
    """What the host did between the two readings around a turn; counters are their differences."""

    elapsed_ns: int
    """Between the two readings: the turn, and the manager's work to run it."""
    cores: int
    """Cores that the run may use: those that all CPU times here are summed over."""
    others_cpu_ns: int | None = None
    """CPU time on those cores used by processes outside the run."""
    others_error_ns: int = 0
    """Error bound of `others_cpu_ns` and `stolen_ns`, from the resolution of the system's counters."""
    stolen_ns: int | None = None
    """Time in which the hypervisor gave those cores to others."""
    waited_for_cpu_ns: int | None = None
    """Time in which threads of the run's processes were ready to go on and had no core, summed over threads."""
    throttled_periods: int | None = None
    """Scheduler periods in which the container's CPU quota was used up."""
    throttled_ns: int | None = None
    """How long the quota paused the run, as the system counts it."""
    major_faults: int | None = None
    """Pages that the run's processes had to wait for, from disk or swap."""
    swapped_in: int | None = None
    """Pages, of all processes."""
    swapped_out: int | None = None
    """Pages, of all processes."""
    cpu_pressure_ns: int | None = None
    """Time in which any process of the machine waited for a core."""
    memory_pressure_ns: int | None = None
    """Time in which any process of the machine waited for memory."""
    frequency_mhz: float | None = None
    """Clock of the fastest of those cores, right after the turn."""


@dataclass(frozen=True, slots=True)
class Pause:
    """An interval in which a process only collected garbage."""

    start_ns: int
    ns: int


@dataclass(frozen=True, slots=True)
class Collections:
    """Python garbage collections in the worker during the turn."""

    count: int
    total_ns: int
    pauses: tuple[Pause, ...] = ()
    """Those of at least 0.1 ms, in order."""


@dataclass(frozen=True, slots=True)
class CpuTime:
    """CPU time that the pipeline's process had used by two moments of the turn, summed over all its threads.

    Children of that process and servers are not included.
    """

    speech_over_ns: int
    """When it was told that speech is over; with file input, when the clip was released."""
    first_packet_ns: int
    """Right after the first packet was stamped."""


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Everything read around one turn, from outside the worker."""

    host: HostTelemetry | None = None
    gpus: tuple[GpuTelemetry, ...] = ()
