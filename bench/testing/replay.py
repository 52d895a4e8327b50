"""A clock for pytest-benchmark that shows times which were measured before."""

from __future__ import annotations

from collections.abc import Callable, Sequence


class ReplayClock:
    """Stands still but for what `replay` gives out."""

    def __init__(self) -> None:
        self._now_s = 0.0

    def __call__(self) -> float:
        """The time, seconds."""
        return self._now_s

    def replay(self, times_s: Sequence[float]) -> Callable[[], None]:
        """A function each call of which takes the next of these times; further ones take none."""
        left = iter(times_s)

        def target() -> None:
            self._now_s += next(left, 0.0)

        return target
