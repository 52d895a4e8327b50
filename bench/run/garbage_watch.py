"""Garbage collections in a worker, which pause all its Python threads."""

from __future__ import annotations

import gc
from typing import Any

from firstpacket.bench.record.telemetry import Collections, Pause
from firstpacket.bench.timing.clock import Clock

WORTH_A_LINE_NS = 100_000
"""Shorter pauses are only counted and summed: there may be hundreds in a turn."""


class GarbageWatch:
    """Records every garbage collection of this process while it exists."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began_ns = 0
        self._count = 0
        self._total_ns = 0
        self._pauses: list[Pause] = []
        gc.callbacks.append(self._heard)

    def begin_turn(self) -> None:
        """Discard earlier collections."""
        self._count = self._total_ns = 0
        self._pauses = []

    def end_turn(self) -> Collections:
        """The collections since `begin_turn`."""
        return Collections(self._count, self._total_ns, tuple(self._pauses))

    def close(self) -> None:
        """Stop recording."""
        gc.callbacks.remove(self._heard)

    def _heard(self, phase: str, _: dict[str, Any]) -> None:
        if phase == "start":
            self._began_ns = self._clock.now_ns()
            return
        took_ns = self._clock.now_ns() - self._began_ns
        self._count += 1
        self._total_ns += took_ns
        if took_ns >= WORTH_A_LINE_NS:
            self._pauses.append(Pause(self._began_ns, took_ns))
