"""A snapshot of the system's counters. They only ever grow; only differences are meaningful."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters at one moment; `None` if the system has no such counter, empty if processes are not visible."""

    at_ns: int
    cores: int
    """Cores that this process may use; times below are summed over them."""
    step_ns: int
    """How far a sum of differences of `idle_ns` and `stolen_ns` may be off: systems count in steps."""
    idle_ns: int | None = None
    stolen_ns: int | None = None
    own_cpu_ns: Mapping[int, int] = field(default_factory=dict)
    """CPU time of this process, of servers that work for it, and of all below them, by process."""
    own_waits_ns: Mapping[int, int] = field(default_factory=dict)
    """How long their threads were runnable but waited for a core, by thread."""
    own_faults: Mapping[int, int] = field(default_factory=dict)
    """Page faults that had to wait for a disk, by process."""
    throttled_periods: int | None = None
    throttled_ns: int | None = None
    swapped_in: int | None = None
    swapped_out: int | None = None
    cpu_pressure_ns: int | None = None
    memory_pressure_ns: int | None = None
    frequency_mhz: float | None = None


class Counters(Protocol):
    """Where readings come from."""

    def read(self, servers: Collection[int] = ()) -> Reading:
        """Read the counters now; `servers` are further processes that count as own, with all below them.

        Never raises: what cannot be read is absent.
        """
        ...
