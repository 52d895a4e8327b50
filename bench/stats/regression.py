"""A straight line through points, robust to single outliers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firstpacket.bench.stats.bootstrap import LEVEL, MIN_CLUSTERS, Estimate, Interval

MOST_POINTS = 1500
"""With more points, only every k-th by x is used, since the work grows with the square of their number."""


@dataclass(frozen=True, slots=True)
class Line:
    """y = `at_middle` + slope * (x - `middle`); `slope` has its interval."""

    slope: Estimate
    middle: float
    """The median of x."""
    at_middle: float
    """The median of y - slope * (x - middle)."""

    def at(self, x: float, slope: float | None = None) -> float:
        """The line's value at `x`, or that of the line through its middle with another slope."""
        return self.at_middle + (self.slope.value if slope is None else slope) * (x - self.middle)


def line(x: Sequence[float], y: Sequence[float], level: float = LEVEL) -> Line | None:
    """The line of Theil (1950) and Sen (1968): its slope is the median of the slopes between all pairs of points.

    The interval is Sen's, from Kendall's tau; points must be independent. None with fewer than `MIN_CLUSTERS` points or
    fewer than three distinct x. Raises `ValueError` if lengths differ.
    """
    if len(x) != len(y):
        raise ValueError(f"Points need as many x ({len(x)}) as y ({len(y)}).")
    if len(x) < MIN_CLUSTERS or len(set(x)) < 3:
        return None
    from scipy.stats import theilslopes  # which takes a second to import

    step = -(-len(x) // MOST_POINTS)
    order = np.argsort(np.asarray(x), kind="stable")[::step]
    xs, ys = np.asarray(x, np.float64)[order], np.asarray(y, np.float64)[order]
    slope, _, low, high = theilslopes(ys, xs, alpha=level)
    middle = float(np.median(xs))
    height = float(np.median(ys - slope * (xs - middle)))
    return Line(Estimate(float(slope), len(x), len(x), Interval(float(low), float(high), level)), middle, height)
