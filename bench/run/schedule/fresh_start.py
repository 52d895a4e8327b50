"""The turns of one start among many: warm-up, then some more pairs of the run's plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.record.schema import Manifest, Turn
from firstpacket.bench.run.schedule.base import Chain, Ended, PlannedTurn, Schedule, Step
from firstpacket.bench.run.schedule.full_run import plan, warm_up
from firstpacket.bench.run.schedule.orders import start_order


@dataclass(slots=True)
class FreshStart:
    """Called by the manager for the schedule of one start; remembers how long its measured turns took.

    A pair is one turn of every system on one clip. Up to `pairs` of them are run; none but the first begins more than
    `seconds` after the first.
    """

    pairs: int
    seconds: float
    measured_ns: int = field(default=0, init=False)

    def __call__(
        self, manifest: Manifest, clips: Sequence[Utterance], earlier: Sequence[Turn], segment: int, *_: object
    ) -> Schedule:
        """The schedule after the `earlier` turns; this start is the `segment`-th."""
        labels = start_order([system.label for system in manifest.labels], manifest.options.seed, segment)
        measured = _Timed(self, remaining(manifest, clips, earlier), len(labels))
        return Chain(warm_up(labels, manifest, clips, segment), measured)


def remaining(manifest: Manifest, clips: Sequence[Utterance], earlier: Sequence[Turn]) -> Iterator[PlannedTurn]:
    """The planned turns of all pairs after the last that was begun: a pair that was interrupted stays incomplete."""
    size = len(manifest.labels)
    # A turn that was interrupted has a number after all planned ones.
    begun = max((turn.turn for turn in earlier if turn.is_measured and turn.outcome != "interrupted"), default=0)
    first = -(-begun // size) * size + 1
    return (planned for planned in plan(manifest, clips) if planned.turn >= first)


class _Timed:
    """Pairs, until there are enough or time is up."""

    def __init__(self, start: FreshStart, turns: Iterator[PlannedTurn], size: int) -> None:
        self._start = start
        self._turns = turns
        self._size = size
        self._given = 0
        self._began_ns: int | None = None

    def next(self, ended: Sequence[Ended], now_ns: int) -> Step | None:
        """The next turn."""
        if self._began_ns is None:
            self._began_ns = now_ns
        self._start.measured_ns = now_ns - self._began_ns
        if self._given % self._size == 0 and self._is_over(self._start.measured_ns):
            return None
        self._given += 1
        return next(self._turns, None)

    def _is_over(self, spent_ns: int) -> bool:
        pairs = self._given // self._size
        return pairs >= self._start.pairs or (pairs > 0 and spent_ns >= self._start.seconds * 1e9)
