"""A clock for pytest-benchmark that replays measured times."""

from __future__ import annotations

from collections.abc import Callable, Sequence


class ReplayClock:
    """Advances only by the times that `replay` plays."""

    def __init__(self) -> None:
        self._now_s = 0.0

    def __call__(self) -> float:
        """The time, seconds."""
        return self._now_s

    def replay(self, times_s: Sequence[float]) -> Callable[[], None]:
        """A function whose n-th call takes the n-th of these times; further calls take none."""
        left = iter(times_s)

        def target() -> None:
            self._now_s += next(left, 0.0)

        return target
