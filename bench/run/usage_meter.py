"""Keeps a run within its usage limits; a run that a limit ends is otherwise complete.

A pair is begun only if all its turns fit, so a run ends between pairs. The length of replies is not known in advance,
so those of the last pair may exceed the limit on audio. The limit on turns is never exceeded: if a restarted system has
to warm up again within a pair, the run may end there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from firstpacket.bench.metrics.usage_limits import NS_PER_MINUTE, Usage
from firstpacket.bench.record.rules import LimitReached, UsageLimits
from firstpacket.bench.record.schema import Phase, Turn
from firstpacket.bench.run.schedule.base import PlannedTurn

NO_LIMITS = UsageLimits(())
PAIRED: tuple[Phase, ...] = ("measured", "idle")


class OverLimit(Exception):
    """Raised instead of starting a turn that would exceed a limit."""

    def __init__(self, reached: LimitReached) -> None:
        super().__init__(reached)
        self.reached = reached


class UsageMeter:
    """Counts turns as they end, and admits or delays those that are next."""

    def __init__(self, limits: UsageLimits | None, clips_ns: Mapping[str, float], earlier: Iterable[Turn] = ()) -> None:
        """`earlier` turns count as well; `clips_ns` are the lengths of the clips."""
        self._limits = limits or NO_LIMITS
        self._clips_ns = clips_ns
        self._used = Usage()
        self._pair: tuple[str, int, str] | None = None
        self._next_start_ns = 0
        for turn in earlier:
            self.count(turn)

    def count(self, turn: Turn) -> None:
        """Count a turn that has ended, whatever its outcome."""
        self._used = self._used.after(turn, self._limits, self._clips_ns)

    def require_room(self, planned: PlannedTurn) -> None:
        """Raises `OverLimit` if the turn, or the pair that it begins, would exceed a limit."""
        pair = (planned.phase, planned.block, planned.utterance) if planned.phase in PAIRED else None
        goes_on = pair is not None and pair == self._pair
        begins = pair is not None and not goes_on
        self._pair = pair or self._pair
        turns = len(self._limits.systems) if begins else int(planned.label in self._limits.systems)
        reached = self._used.exceeded_by(turns, self._clips_ns.get(planned.utterance, 0), self._limits)
        if turns and reached is not None and not (goes_on and reached.option == "max_audio_minutes"):
            raise OverLimit(reached)

    def start_ns(self, label: str, now_ns: int) -> int:
        """The earliest start of a system's turn; the next turn is paced from it."""
        if label not in self._limits.systems or not self._limits.turns_per_minute:
            return now_ns
        start_ns = max(now_ns, self._next_start_ns)
        self._next_start_ns = start_ns + round(NS_PER_MINUTE / self._limits.turns_per_minute)
        return start_ns
