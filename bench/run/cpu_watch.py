"""CPU time that a turn uses: the wait for the first packet as work, which other programs hardly change."""

from __future__ import annotations

from firstpacket.bench.record.telemetry import CpuTime
from firstpacket.bench.timing.clock import Clock


class CpuWatch:
    """Reads the CPU time of this process at two moments of a turn; a reading takes about half a microsecond."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._speech_over_ns: int | None = None
        self._first_packet_ns: int | None = None

    def speech_over(self) -> None:
        """Speech is over, and the pipeline is about to learn it."""
        self._speech_over_ns = self._clock.cpu_ns()

    def first_packet(self) -> None:
        """The first packet has just been stamped."""
        self._first_packet_ns = self._clock.cpu_ns()

    def seen(self) -> CpuTime | None:
        """Both readings; None if one of them is missing."""
        if self._speech_over_ns is None or self._first_packet_ns is None:
            return None
        return CpuTime(self._speech_over_ns, self._first_packet_ns)
