"""What the host did during a turn, as flags. A flagged turn is kept and counted, and its figures are unchanged.

late_microphone   the user's speech came late (`firstpacket.bench.metrics.late_microphone`)
host_busy         other processes took over 10 % of the cores that the run may use
stolen            the hypervisor gave over 2 % of their time to other machines
cpu_throttled     the container's CPU quota was used up at least once
paged             the run's processes waited for 10 pages or more from disk or swap, or 256 pages were swapped
gc_paused         garbage collections of the system's process took over 1 % of the wait for the first packet

Times are compared after subtracting the error of the counters, which count in steps.
"""

from __future__ import annotations

from collections.abc import Iterator

from firstpacket.bench.metrics.late_microphone import is_late
from firstpacket.bench.record.schema import Evidence
from firstpacket.bench.record.telemetry import Collections, HostTelemetry
from firstpacket.bench.vocabulary import Flag

BUSY_SHARE = 0.10
STOLEN_SHARE = 0.02
PAUSED_SHARE = 0.01
MAJOR_FAULTS = 10
SWAPPED_PAGES = 256


def host_flags(evidence: Evidence, t0_ns: int) -> tuple[Flag, ...]:
    """The flags for what the host did during a turn, in registry order."""
    return tuple(_flags(evidence, t0_ns))


def _flags(evidence: Evidence, t0_ns: int) -> Iterator[Flag]:
    if is_late(evidence.delivery, evidence.microphone_limit_ns):
        yield Flag.LATE_MICROPHONE
    telemetry, packets = evidence.telemetry, evidence.trace.packets
    if telemetry is not None and telemetry.host is not None:
        yield from _of_host(telemetry.host)
    collected = evidence.collections
    if collected is not None and packets and _paused(collected, t0_ns, packets[0].at_ns):
        yield Flag.GC_PAUSED


def _of_host(host: HostTelemetry) -> Iterator[Flag]:
    whole_ns = host.elapsed_ns * host.cores
    if (host.others_cpu_ns or 0) - host.others_error_ns > BUSY_SHARE * whole_ns:
        yield Flag.HOST_BUSY
    if (host.stolen_ns or 0) - host.others_error_ns > STOLEN_SHARE * whole_ns:
        yield Flag.STOLEN
    if host.throttled_periods:
        yield Flag.CPU_THROTTLED
    swapped = (host.swapped_in or 0) + (host.swapped_out or 0)
    if (host.major_faults or 0) >= MAJOR_FAULTS or swapped >= SWAPPED_PAGES:
        yield Flag.PAGED


def _paused(collections: Collections, t0_ns: int, first_packet_ns: int) -> bool:
    """Whether garbage collections took more than `PAUSED_SHARE` of the wait for the first packet."""
    paused_ns = sum(
        max(0, min(pause.start_ns + pause.ns, first_packet_ns) - max(pause.start_ns, t0_ns))
        for pause in collections.pauses
    )
    return paused_ns > PAUSED_SHARE * (first_packet_ns - t0_ns) > 0
