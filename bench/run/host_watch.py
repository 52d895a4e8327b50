"""Reads the host's counters before and after a turn, and computes the differences."""

from __future__ import annotations

import platform
from collections.abc import Mapping

from firstpacket.bench.host.counters import Counters, Reading
from firstpacket.bench.host.listeners import LocalServer
from firstpacket.bench.record.schema import LabelFacts
from firstpacket.bench.record.telemetry import HostTelemetry


def host_counters() -> Counters:
    """This system's counters."""
    if platform.system() == "Linux":
        from firstpacket.bench.host.linux_counters import LinuxCounters

        return LinuxCounters()
    from firstpacket.bench.host.psutil_counters import OtherCounters

    return OtherCounters()


class HostWatch:
    """Reads before and after a turn."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._before: Reading | None = None
        self._servers: dict[str, tuple[LocalServer, ...]] = {}

    def started(self, facts: LabelFacts) -> None:
        """A worker has loaded: servers that it uses on this machine count as the run's own processes."""
        self._servers[facts.label] = facts.servers

    def before(self) -> None:
        """A turn is about to be run."""
        self._before = self._read()

    def after(self) -> HostTelemetry | None:
        """What the host did since `before`."""
        before, self._before = self._before, None
        return between(before, self._read()) if before is not None else None

    def _read(self) -> Reading:
        pids = {pid for servers in self._servers.values() for server in servers for pid in server.pids}
        return self._counters.read(pids)


def between(before: Reading, after: Reading) -> HostTelemetry:
    """The differences between two readings."""
    elapsed_ns = after.at_ns - before.at_ns
    idle_ns, stolen_ns = _grown(before.idle_ns, after.idle_ns), _grown(before.stolen_ns, after.stolen_ns)
    others_ns = None
    if idle_ns is not None and after.own_cpu_ns:
        own_ns = _summed(before.own_cpu_ns, after.own_cpu_ns)
        others_ns = max(0, after.cores * elapsed_ns - idle_ns - (stolen_ns or 0) - own_ns)
    return HostTelemetry(
        elapsed_ns=elapsed_ns,
        cores=after.cores,
        others_cpu_ns=others_ns,
        others_error_ns=after.step_ns,
        stolen_ns=stolen_ns,
        waited_for_cpu_ns=_summed(before.own_waits_ns, after.own_waits_ns) if after.own_waits_ns else None,
        throttled_periods=_grown(before.throttled_periods, after.throttled_periods),
        throttled_ns=_grown(before.throttled_ns, after.throttled_ns),
        major_faults=_summed(before.own_faults, after.own_faults) if after.own_faults else None,
        swapped_in=_grown(before.swapped_in, after.swapped_in),
        swapped_out=_grown(before.swapped_out, after.swapped_out),
        cpu_pressure_ns=_grown(before.cpu_pressure_ns, after.cpu_pressure_ns),
        memory_pressure_ns=_grown(before.memory_pressure_ns, after.memory_pressure_ns),
        frequency_mhz=after.frequency_mhz,
    )


def _grown(before: int | None, after: int | None) -> int | None:
    """The increase of a counter; 0 where it went backwards, as idle time may by a tick."""
    return None if before is None or after is None else max(0, after - before)


def _summed(before: Mapping[int, int], after: Mapping[int, int]) -> int:
    """The total increase of per-process or per-thread counters; new ones started at 0."""
    return sum(max(0, value - before.get(key, 0)) for key, value in after.items())
