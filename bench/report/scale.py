"""A time axis from t0: the position of a moment on it, and its ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass

MOST_TICKS = 8
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """The interval from `start_ms` to `end_ms` (which is later), mapped to 0 to 100 per cent."""

    start_ms: float
    end_ms: float

    def at(self, ms: float) -> float:
        """Position of a moment, in per cent; moments outside are put on the edge."""
        inside = min(max(ms, self.start_ms), self.end_ms)
        return 100 * (inside - self.start_ms) / (self.end_ms - self.start_ms)

    def ticks(self) -> tuple[float, ...]:
        """At most `MOST_TICKS` round moments within the interval, ms; includes 0 if it is inside."""
        step = round_step((self.end_ms - self.start_ms) / MOST_TICKS)
        first, last = math.ceil(self.start_ms / step), math.floor(self.end_ms / step)
        return tuple(count * step for count in range(first, last + 1))


def round_step(least: float) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is not below `least` (above 0)."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in STEPS if factor * power >= least * (1 - 1e-9))
