"""The host's timeline: the real monotonic clock, and a virtual one on which whole runs take no time.

All stamps are integer nanoseconds. The monotonic clock is one clock for all processes of a machine, so stamps taken
by the manager and by a worker can be subtracted.
"""

from __future__ import annotations

import heapq
import itertools
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

NS_PER_MS = 1_000_000


class Inbox(Protocol):
    """A first-in first-out queue between threads of one clock; one thread reads it."""

    def put(self, item: Any) -> None:
        """Add an item; never blocks."""
        ...

    def get(self) -> Any:
        """Take the oldest item; blocks until there is one."""
        ...


class TimedInbox(Inbox, Protocol):
    """An inbox whose reader need not wait for ever."""

    def get_until(self, when_ns: int) -> Any:
        """Take the oldest item; blocks until there is one. Raises `queue.Empty` if there is none at `when_ns`."""
        ...


class Clock(Protocol):
    """A timeline, and the only ways to wait on it."""

    def now_ns(self) -> int:
        """The present, in ns since an arbitrary origin; never goes back."""
        ...

    def cpu_ns(self) -> int | None:
        """CPU time that this process has used, summed over all its threads, ns; None if time is not real."""
        ...

    def sleep_until_ns(self, when_ns: int) -> None:
        """Block the calling thread until `when_ns`; returns at once if that has passed."""
        ...

    def spawn(self, target: Callable[[], None], name: str) -> threading.Thread:
        """Start a daemon thread that lives on this clock."""
        ...

    def join(self, thread: threading.Thread) -> None:
        """Wait for a thread started by `spawn`."""
        ...

    def inbox(self) -> TimedInbox:
        """A queue whose waiting this clock understands."""
        ...


class MonotonicClock:
    """The machine's monotonic clock (CLOCK_MONOTONIC on Linux)."""

    now_ns = staticmethod(time.monotonic_ns)
    cpu_ns = staticmethod(time.process_time_ns)

    def sleep_until_ns(self, when_ns: int) -> None:
        """Sleep, then correct for early wake-ups."""
        while (left_ns := when_ns - time.monotonic_ns()) > 0:
            time.sleep(left_ns / 1e9)

    def spawn(self, target: Callable[[], None], name: str) -> threading.Thread:
        """Start a daemon thread."""
        thread = threading.Thread(target=target, name=name, daemon=True)
        thread.start()
        return thread

    def join(self, thread: threading.Thread) -> None:
        """Wait for the thread."""
        thread.join()

    def inbox(self) -> MonotonicInbox:
        """A queue on this clock."""
        return MonotonicInbox()


class MonotonicInbox(queue.SimpleQueue[Any]):
    """An inbox on the machine's clock."""

    def get_until(self, when_ns: int) -> Any:
        """Take the oldest item. Raises `queue.Empty` if there is none at `when_ns`."""
        return self.get(timeout=max(0, when_ns - time.monotonic_ns()) / 1e9)


class VirtualClock:
    """A discrete-event clock: time stands still while any of its threads runs, then jumps to the next wake-up.

    Threads that use it must be started with `spawn` (the creating thread counts as one) and must wait only through
    `sleep_until_ns`, `join` and inboxes, otherwise time stops. With several threads awake at one instant, the order in
    which they run is the operating system's, as on the real clock; the stamps are the same in any order.
    """

    def __init__(self, start_ns: int = 0) -> None:
        self._now_ns = start_ns
        self._changed = threading.Condition()
        self._awake = 1
        self._sleepers: list[tuple[int, int]] = []
        self._released: set[int] = set()
        self._tickets = itertools.count()
        self._blocked: dict[int, Callable[[], bool]] = {}
        self._ended: dict[threading.Thread, bool] = {}

    def now_ns(self) -> int:
        """The virtual present."""
        return self._now_ns

    def cpu_ns(self) -> int | None:
        """None: virtual work uses no CPU time."""
        return None

    def advance(self, duration_ns: int) -> None:
        """Let the calling thread be busy for a while."""
        self.sleep_until_ns(self._now_ns + duration_ns)

    def sleep_until_ns(self, when_ns: int) -> None:
        """Block until the clock has jumped to `when_ns`."""
        with self._changed:
            self._block_until(lambda: False, when_ns)

    def spawn(self, target: Callable[[], None], name: str) -> threading.Thread:
        """Start a thread that counts as awake until it waits or ends."""

        def body() -> None:
            try:
                target()
            finally:
                with self._changed:
                    self._ended[thread] = True
                    self._rest()

        thread = threading.Thread(target=body, name=name, daemon=True)
        with self._changed:
            self._awake += 1
            self._ended[thread] = False
        thread.start()
        return thread

    def join(self, thread: threading.Thread) -> None:
        """Wait for a spawned thread on virtual time."""
        with self._changed:
            self._block_until(lambda: self._ended[thread])

    def inbox(self) -> VirtualInbox:
        """A queue whose `get` lets time pass."""
        return VirtualInbox(self)

    def _block_until(self, condition: Callable[[], bool], when_ns: int | None = None) -> None:
        # The thread that makes the condition true counts the blocked thread as awake immediately, before time can move
        # on. At `when_ns`, if given, the thread stops waiting for it.
        if condition() or (when_ns is not None and when_ns <= self._now_ns):
            return
        ticket = next(self._tickets)
        self._blocked[ticket] = condition
        if when_ns is not None:
            heapq.heappush(self._sleepers, (when_ns, ticket))
        self._rest()
        self._changed.wait_for(lambda: ticket in self._released)
        self._released.remove(ticket)

    def _rest(self) -> None:
        """Mark the calling thread as waiting; the last one to do so advances time."""
        self._awake -= 1
        self._wake_blocked()
        while self._awake == 0 and self._sleepers:
            when_ns, ticket = heapq.heappop(self._sleepers)
            self._now_ns = max(self._now_ns, when_ns)
            self._release(ticket)
            while self._sleepers and self._sleepers[0][0] <= self._now_ns:
                self._release(heapq.heappop(self._sleepers)[1])

    def _wake_blocked(self) -> None:
        for ticket in [ticket for ticket, condition in self._blocked.items() if condition()]:
            self._release(ticket)

    def _release(self, ticket: int) -> None:
        """Wake the thread with this ticket, unless its condition has done so before."""
        if self._blocked.pop(ticket, None) is not None:
            self._released.add(ticket)
            self._awake += 1
            self._changed.notify_all()


class VirtualInbox:
    """An inbox on a virtual clock."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._items: deque[Any] = deque()

    def put(self, item: Any) -> None:
        """Add an item; never blocks."""
        with self._clock._changed:
            self._items.append(item)
            self._clock._wake_blocked()

    def get(self) -> Any:
        """Take the oldest item; blocks until there is one."""
        with self._clock._changed:
            self._clock._block_until(lambda: bool(self._items))
            return self._items.popleft()

    def get_until(self, when_ns: int) -> Any:
        """Take the oldest item. Raises `queue.Empty` if there is none at `when_ns`."""
        with self._clock._changed:
            self._clock._block_until(lambda: bool(self._items), when_ns)
            if not self._items:
                raise queue.Empty
            return self._items.popleft()

    def take_all(self, when_ns: int | None = None) -> list[Any]:
        """Take all items, oldest first; blocks until there is one, or until `when_ns`."""
        with self._clock._changed:
            self._clock._block_until(lambda: bool(self._items), when_ns)
            items = list(self._items)
            self._items.clear()
            return items
