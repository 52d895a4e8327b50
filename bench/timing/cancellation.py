"""How work that blocks learns that its turn was cancelled, in whatever thread it is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from typing import TypeVar

T = TypeVar("T")


class TurnCancelled(Exception):
    """Raised inside `respond` when the harness cancelled the turn; do not catch it.

    Its text, if any, says what the pipeline was waiting for.
    """


class Cancellation:
    """Whether one turn was cancelled. A pipeline finds it as `trace.cancellation`.

    Work in steps looks at `cancelled` between them. A call that blocks is ended from outside: by `on_cancel`, if
    shutting something down makes it return, else by `abandonable`, which leaves it behind.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancelled = False
        self._actions: list[Callable[[], object]] = []

    @property
    def cancelled(self) -> bool:
        """Whether the turn was cancelled."""
        return self._cancelled

    def cancel(self) -> None:
        """Cancel the turn, from any thread. Errors of actions are ignored: the turn is over."""
        with self._lock:
            self._cancelled = True
            for action in self._actions:
                with suppress(Exception):
                    action()

    @contextmanager
    def on_cancel(self, action: Callable[[], object]) -> Iterator[None]:
        """Call `action` if the turn is cancelled in the body of the `with`, or at once if it was cancelled before.

        `action` runs in another thread, must not block, and does not run after the body was left.
        """
        with self._lock:
            self._actions.append(action)
            if self._cancelled:
                with suppress(Exception):
                    action()
        try:
            yield
        finally:
            with self._lock:
                self._actions.remove(action)

    def abandonable(self, work: Callable[[], T], discard: Callable[[T], object], name: str) -> T:
        """The result of `work`, which is done in a thread of its own; raises what it raises.

        If the turn is cancelled first, raises `TurnCancelled`, and the thread is left to itself: what `work` still
        returns goes to `discard`.
        """
        outcome: Future[T] = Future()

        def run() -> None:
            try:
                result = work()
            except BaseException as problem:
                with suppress(InvalidStateError):  # nobody waits for it any more
                    outcome.set_exception(problem)
                return
            try:
                outcome.set_result(result)
            except InvalidStateError:
                discard(result)

        with self.on_cancel(lambda: outcome.set_exception(TurnCancelled())):
            threading.Thread(target=run, name=name, daemon=True).start()
            return outcome.result()
