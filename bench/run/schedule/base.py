"""What a schedule is, and the simplest ones.

A schedule is asked what comes next, given what has ended so far. It knows neither executors nor the clock, so it can be
tried by hand. Adding a kind of load is adding a class here; whoever drives it (`firstpacket.bench.run.manager`) stays
as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from firstpacket.bench.record.schema import Phase, Turn
from firstpacket.bench.vocabulary import Flag


@dataclass(frozen=True, slots=True)
class PlannedTurn:
    """One turn to be run. `turn` numbers measured turns from 1 in their order; 0 takes the next number after those."""

    turn: int
    block: int
    phase: Phase
    label: str
    utterance: str
    flags: tuple[Flag, ...] = ()
    """How it is run, for the record."""
    due_ns: int | None = None
    """When it is to be begun, for the record, where a schedule says so; begun later, it is late."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is to be run for `ns`, or until a turn that is in flight has ended.

    Before that, those of the labels in `ready` whose process is gone are started.
    """

    ns: int
    ready: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """A planned turn that is over."""

    planned: PlannedTurn
    turn: Turn | None
    """Its record; None where it could not be run, since the label's process is gone."""
    t0_ns: int = 0


Step = PlannedTurn | Wait


class Schedule(Protocol):
    """Says what is next. It may remember what it has handed out, but decides by what is on record."""

    def next(self, ended: Sequence[Ended], now_ns: int) -> Step | None:
        """The next turn, a wait, or None at the end.

        `ended` are the turns of this start so far, in the order in which they ended.
        """
        ...


class Plan:
    """Steps in a fixed order."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self._steps = iter(steps)

    def next(self, ended: Sequence[Ended], now_ns: int) -> Step | None:
        """The next one."""
        return next(self._steps, None)


class Chain:
    """One schedule after another."""

    def __init__(self, *schedules: Schedule) -> None:
        self._left = list(schedules)

    def next(self, ended: Sequence[Ended], now_ns: int) -> Step | None:
        """The next step of the first schedule that has one."""
        while self._left:
            if (step := self._left[0].next(ended, now_ns)) is not None:
                return step
            del self._left[0]
        return None


class Preceded:
    """A schedule, and another one before it if it has anything to run at all."""

    def __init__(self, first: Schedule, then: Schedule) -> None:
        self._first = first
        self._then = then
        self._begun = False
        self._held: Step | None = None
        """The first step of `then`, which waits until `first` has ended."""

    def next(self, ended: Sequence[Ended], now_ns: int) -> Step | None:
        """A step of the first one if the second has any, then those of the second."""
        if not self._begun:
            self._begun = True
            self._held = self._then.next(ended, now_ns)
        if self._held is None:
            return self._then.next(ended, now_ns)
        if (step := self._first.next(ended, now_ns)) is not None:
            return step
        held, self._held = self._held, None
        return held
