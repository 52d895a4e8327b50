"""An asyncio event loop on a virtual clock: coroutines and threads that share one time, on which nothing sleeps.

    clock = VirtualClock()
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
        runner.run(main())

It is for transports that keep many sessions open in one thread; nothing but its tests uses it so far. It must run in a
thread of the clock. Coroutines wait with `asyncio` only. Another thread of the clock hands something over with
`call_soon_threadsafe`, and receives through an inbox of the clock, whose `put` never blocks.

At one instant, what was scheduled with `call_soon` runs first, in that order, then timers that are due, in the order in
which they were set; what these schedule with `call_soon` follows, still at that instant. Between the loop and other
threads there is no order at one instant, as for all threads of the clock, but their stamps are the same.

There are no sockets, pipes, signals or executors: asyncio raises `NotImplementedError`.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from contextvars import Context
from typing import Any, NoReturn, TypeVarTuple

from firstpacket.bench.timing.clock import VirtualClock

Args = TypeVarTuple("Args")


class VirtualLoop(asyncio.BaseEventLoop):
    """`time()` is the clock's present in seconds; timers are exact to the nanosecond."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock
        self._selector = _Selector(clock)
        self._numbers = itertools.count()

    def time(self) -> float:
        """The virtual present, in seconds."""
        return self._clock.now_ns() / 1e9

    def call_at(
        self, when: float, callback: Callable[[*Args], object], *args: *Args, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As in asyncio; timers of one instant, in whole nanoseconds, keep their order."""
        return super().call_at(_Due(when, next(self._numbers)), callback, *args, context=context)

    def run_in_executor(self, *_: object) -> NoReturn:
        """Raises `NotImplementedError`: its threads would not be the clock's."""
        raise NotImplementedError("Threads on a virtual clock are started with its spawn().")

    def _process_events(self, event_list: list[Any]) -> None:
        """Called by asyncio with what the selector returned, which is nothing."""

    def _write_to_self(self) -> None:
        """Called by asyncio after `call_soon_threadsafe`."""
        self._selector.wake()


class _Selector:
    """What asyncio waits with: no files, only the clock."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._wakes = clock.inbox()

    def select(self, timeout: float | None) -> list[Any]:
        """Block for `timeout` seconds (None: for ever), or until `wake` is called."""
        self._wakes.take_all(None if timeout is None else self._clock.now_ns() + round(timeout * 1e9))
        return []

    def wake(self) -> None:
        """Let `select` return; called from any thread of the clock."""
        self._wakes.put(None)


class _Due(float):
    """When a timer is due, in seconds, rounded to nanoseconds; of two at one instant the one set first is less.

    asyncio keeps timers in a heap that compares these alone, and a heap does not keep the order of equals.
    """

    number: int

    def __new__(cls, when: float, number: int) -> _Due:
        due = super().__new__(cls, round(when * 1e9) / 1e9)
        due.number = number
        return due

    def __lt__(self, other: float) -> bool:
        if isinstance(other, _Due) and float(self) == float(other):
            return self.number < other.number
        return super().__lt__(other)
