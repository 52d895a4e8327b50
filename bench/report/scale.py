"""A time axis from t0: where a moment lies on it, and its ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass

MOST_TICKS = 8
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """The stretch from `start_ms` to `end_ms` (later than it), laid out from 0 to 100 per cent."""

    start_ms: float
    end_ms: float

    def at(self, ms: float) -> float:
        """Where a moment lies, in per cent; what lies outside is put on the edge."""
        inside = min(max(ms, self.start_ms), self.end_ms)
        return 100 * (inside - self.start_ms) / (self.end_ms - self.start_ms)

    def ticks(self) -> tuple[float, ...]:
        """At most `MOST_TICKS` round moments within the stretch, ms; 0 is one of them where it is inside."""
        step = round_step((self.end_ms - self.start_ms) / MOST_TICKS)
        first, last = math.ceil(self.start_ms / step), math.floor(self.end_ms / step)
        return tuple(count * step for count in range(first, last + 1))


def round_step(least: float) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is not below `least` (above 0)."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in STEPS if factor * power >= least * (1 - 1e-9))
