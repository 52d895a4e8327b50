"""The interface of schedules, and the simplest ones.

A schedule returns what comes next, given what has ended so far. It knows neither executors nor the clock, so it is easy
to test. A new kind of load is a new class; the manager that drives it (`firstpacket.bench.run.manager`) does not
change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from firstpacket.bench.record.schema import Phase, Turn
from firstpacket.bench.vocabulary import Flag


@dataclass(frozen=True, slots=True)
class PlannedTurn:
    """One turn to be run. `turn` numbers measured turns from 1; 0 means the next free number after those."""

    turn: int
    block: int
    phase: Phase
    label: str
    utterance: str
    flags: tuple[Flag, ...] = ()
    """How it is run; recorded with the turn."""
    due_ns: int | None = None
    """When it should start, if the schedule sets a time; recorded with the turn."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Run nothing for `ns`, or until a turn in flight has ended.

    Before that, labels in `ready` whose process is gone are restarted.
    """

    ns: int
    ready: tuple[str, ...] = ()
    silent: bool = False
    """Whether the user is not told: a pause that is part of the plan, not a measurement of what idling does."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A planned turn that is over."""

    planned: PlannedTurn
    turn: Turn | None
    """Its record; None if it could not be run because the process is gone."""
    t0_ns: int = 0


Step = PlannedTurn | Wait


class Schedule(Protocol):
    """Returns the next step. It may remember the steps that it has returned, but decides by recorded turns only."""

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
        self._remaining = list(schedules)

    def next(self, ended: Sequence[Ended], now_ns: int) -> Step | None:
        """The next step of the first schedule that has one."""
        while self._remaining:
            if (step := self._remaining[0].next(ended, now_ns)) is not None:
                return step
            del self._remaining[0]
        return None


class Paced:
    """A schedule with a pause between turns; where it waits itself, there is none."""

    def __init__(self, schedule: Schedule, pause_ns: int) -> None:
        self._schedule = schedule
        self._pause = Wait(pause_ns, silent=True)
        self._after_turn = False
        self._next: Step | None = None
        """The turn to be run after the pause."""

    def next(self, ended: Sequence[Ended], now_ns: int) -> Step | None:
        """The schedule's next step, or the pause before it."""
        step, self._next = self._next or self._schedule.next(ended, now_ns), None
        is_turn = isinstance(step, PlannedTurn)
        if is_turn and self._after_turn and self._pause.ns:
            self._next, self._after_turn = step, False
            return self._pause
        self._after_turn = is_turn
        return step


class Preceded:
    """A schedule, preceded by another one if it has anything to run."""

    def __init__(self, first: Schedule, then: Schedule) -> None:
        self._first = first
        self._then = then
        self._begun = False
        self._pending: Step | None = None
        """The first step of `then`, returned once `first` has ended."""

    def next(self, ended: Sequence[Ended], now_ns: int) -> Step | None:
        """The steps of `first` if `then` has any, followed by those of `then`."""
        if not self._begun:
            self._begun = True
            self._pending = self._then.next(ended, now_ns)
        if self._pending is None:
            return self._then.next(ended, now_ns)
        if (step := self._first.next(ended, now_ns)) is not None:
            return step
        step, self._pending = self._pending, None
        return step
