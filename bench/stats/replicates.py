"""Units that were measured repeatedly, each by several values: pairs of processes, each with several pairs of turns.

Values of one unit share whatever is peculiar to it, for a process its memory layout for example, so they are not
independent of each other, but units are. So each unit counts as one value, its location. That is a trimmed mean, since
single turns have outliers and several modes. Locations of units have hardly any outliers then, and their mean and
Student's t are the natural choice (Kalibera and Jones 2013, "Rigorous Benchmarking in Reasonable Time").
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri, stdtrit

from firstpacket.bench.stats.bootstrap import LEVEL, Interval

TRIMMED = 0.35
"""The share of a unit's values that is left out at either end. Turns are disturbed on either side of a pair, so often
that a third of the differences may be outliers; of normal values, this mean has a 15 % larger deviation than the plain
one."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where a unit's values are, and how well that is known."""

    value: float
    variance: float
    """Of `value` around the unit's true location."""
    n: int


def location(values: Sequence[float]) -> Location:
    """The location of a unit: the mean of its middle values, 30 % of all, and at least two.

    The error of it is that of a trimmed mean: values that are left out count as the nearest one that remains (Tukey and
    McLaughlin 1963, Sankhya A 25). Raises `ValueError` with fewer than two values, whose variance is unknown.
    """
    if len(values) < 2:
        raise ValueError("A unit needs at least two values.")
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    cut = min(math.floor(TRIMMED * len(ordered)), len(ordered) // 2 - 1)
    kept = ordered[cut : len(ordered) - cut]
    squares = len(ordered) * float(np.var(np.clip(ordered, kept[0], kept[-1])))
    return Location(float(np.mean(kept)), squares / (len(kept) * (len(kept) - 1)), len(values))


@dataclass(frozen=True, slots=True)
class Components:
    """How much units differ from each other, and how well each is known."""

    between: float
    """Variance of the true locations of units."""
    within: float
    """Variance of a measured location around the true one, the mean over units."""
    between_deviation: Interval
    """Of the square root of `between`."""


def variance_components(units: Sequence[Location], level: float = LEVEL) -> Components | None:
    """Split the variance of the units' locations, by the method of moments; None with fewer than two units.

    Locations vary by `between` plus `within`, so `between` is what remains of their variance, or 0 (Searle, Casella and
    McCulloch 1992, section 3.6). The interval is that of the whole variance, from the chi-squared distribution, less
    `within`: narrower than Williams' (1962, Biometrika 49), which also allows for errors of `within`, but there are
    many more values than units.
    """
    if len(units) < 2:
        return None
    freedom = len(units) - 1
    whole = float(np.var([unit.value for unit in units], ddof=1))
    within = float(np.mean([unit.variance for unit in units]))
    tail = (1 - level) / 2
    low, high = (whole * freedom / float(chdtri(freedom, beyond)) - within for beyond in (tail, 1 - tail))
    interval = Interval(math.sqrt(max(0.0, low)), math.sqrt(max(0.0, high)), level)
    return Components(max(0.0, whole - within), within, interval)


def t_bounds(values: Sequence[float], tail: float) -> Interval | None:
    """Bounds of the mean by Student's t, each of them wrong with probability `tail`; None with fewer than two values.

    So the level of the interval is 1 - 2 * tail.
    """
    if len(values) < 2:
        return None
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1)) / math.sqrt(len(values))
    reach = -float(stdtrit(len(values) - 1, tail)) * error
    return Interval(mean - reach, mean + reach, 1 - 2 * tail)


def turns_per_unit(unit_cost: float, turn_cost: float, between: float, within: float, least: int, most: int) -> int:
    """How many turns of each unit show the mean of units most precisely in a given time.

    A unit costs `unit_cost` before its first turn, and each turn `turn_cost`. `between` is the variance of the units'
    true locations, and `within` that of a single turn: `Location.variance` times n. The optimum is the root of
    (unit_cost * within) / (turn_cost * between) (Cochran 1977, Sampling Techniques, section 10.6), here between `least`
    and `most`, which it is if units do not differ. Raises `ValueError` without positive costs.
    """
    if unit_cost <= 0 or turn_cost <= 0:
        raise ValueError(f"A unit and a turn cost some time, not {unit_cost} and {turn_cost}.")
    if between * most**2 * turn_cost <= within * unit_cost:
        return most
    return max(least, round(math.sqrt(unit_cost * within / (turn_cost * between))))


def units_needed(deviation: float, margin: float, tail: float) -> int | None:
    """After how many units in all a bound by Student's t is about `margin` away from their mean; None if never.

    `deviation` is that of the units' locations. None if the margin is not positive: the mean itself is on the wrong
    side. Units that vary more than so far, or a mean that comes closer, need more: half of the time it is more.
    """
    if margin <= 0:
        return None
    ratio = margin / deviation if deviation > 0 else math.inf
    high = 2
    while not _suffices(high, ratio, tail):
        high *= 2
    return bisect_left(range(high), True, lo=2, key=lambda count: _suffices(count, ratio, tail))


def _suffices(count: int, ratio: float, tail: float) -> bool:
    return -float(stdtrit(count - 1, tail)) <= ratio * math.sqrt(count)
