"""Measured turns until a precision is reached, checked after planned numbers of blocks, or time is used up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from firstpacket.bench.metrics.stopping_decision import NS_PER_MINUTE, Stop, decide, progress_line
from firstpacket.bench.record.rules import StoppingRule
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.run.schedule.base import Ended, PlannedTurn, Step
from firstpacket.bench.stats.sequential import checkpoints


class UntilPrecise:
    """Passes planned turns on until the stopping rule is met.

    Only recorded turns decide, so a resumed run is checked at the same points as an uninterrupted one.
    """

    def __init__(
        self,
        plan: Iterable[PlannedTurn],
        rule: StoppingRule,
        labels: Sequence[str],
        clips: int,
        earlier: Iterable[Turn] = (),
        began_ns: int = 0,
        spent_ns: int = 0,
        on_check: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`earlier` turns come from starts that took `spent_ns`; this start had loaded at `began_ns`.

        `on_check` is called with the result of every check.
        """
        self._plan = iter(plan)
        self._rule = rule
        self._labels = labels
        self._clips = clips
        self._earlier = [turn for turn in earlier if turn.is_measured]
        self._began_ns = began_ns
        self._spent_ns = spent_ns
        self._on_check = on_check

    def next(self, ended: Sequence[Ended], now_ns: int) -> Step | None:
        """The next planned turn, unless the rule is met."""
        planned = next(self._plan, None)
        if planned is not None and (self._is_precise(planned, ended) or self._out_of_time(planned, ended)):
            self._plan = iter(())
            return None
        return planned

    def _is_precise(self, planned: PlannedTurn, ended: Sequence[Ended]) -> bool:
        """At the first turn of a block where a check is due: whether the precision is reached."""
        begins_block = (planned.turn - 1) % (len(self._labels) * self._clips) == 0
        if not begins_block or planned.block not in checkpoints(self._rule.blocks):
            return False
        turns = [*self._earlier, *(each.turn for each in ended if each.turn and each.planned.phase == "measured")]
        decision = decide(turns, self._labels, self._rule, planned.block)
        self._on_check(progress_line(decision, self._rule, self._spent(ended)))
        return isinstance(decision, Stop)

    def _out_of_time(self, planned: PlannedTurn, ended: Sequence[Ended]) -> bool:
        """Whether time is used up before the first turn of a clip; once begun, a clip is run on every system."""
        begins_clip = (planned.turn - 1) % len(self._labels) == 0
        return begins_clip and self._spent(ended) >= self._rule.minutes * NS_PER_MINUTE

    def _spent(self, ended: Sequence[Ended]) -> int:
        """Time from the end of loading to the latest measured turn's t0, over all starts, ns."""
        latest_ns = (each.t0_ns for each in reversed(ended) if each.planned.phase == "measured")
        return self._spent_ns + next(latest_ns, self._began_ns) - self._began_ns
