"""A straight line through points, robust to single outliers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

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
    step = -(-len(x) // MOST_POINTS)
    order = np.argsort(np.asarray(x), kind="stable")[::step]
    xs, ys = np.asarray(x, np.float64)[order], np.asarray(y, np.float64)[order]
    slope, low, high = _theil_sen(xs, ys, level)
    middle = float(np.median(xs))
    height = float(np.median(ys - slope * (xs - middle)))
    return Line(Estimate(slope, len(x), len(x), Interval(low, high, level)), middle, height)


def _theil_sen(x: NDArray[np.float64], y: NDArray[np.float64], level: float) -> tuple[float, float, float]:
    """The median slope and the ends of its interval, as `scipy.stats.theilslopes`, whose import takes a second."""
    runs, rises = x[:, None] - x, y[:, None] - y
    slopes = np.sort(rises[runs > 0] / runs[runs > 0])
    z = -ndtri((1 - level) / 2)
    n = len(x)
    variance = (_of_ties(n) - _ties(x) - _ties(y)) / 18  # equation 2.6 of Sen (1968)
    half = z * np.sqrt(max(variance, 0))
    low = max(int(np.round((len(slopes) - half) / 2)) - 1, 0)
    high = min(int(np.round((len(slopes) + half) / 2)), len(slopes) - 1)
    return float(np.median(slopes)), float(slopes[low]), float(slopes[high])


def _ties(values: NDArray[np.float64]) -> int:
    """What values that occur more than once take off the variance."""
    return sum(_of_ties(int(count)) for count in np.unique(values, return_counts=True)[1])


def _of_ties(count: int) -> int:
    return count * (count - 1) * (2 * count + 5)
