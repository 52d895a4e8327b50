"""Looking repeatedly at a mean, and stopping as soon as the answer is clear, with a total error that is kept.

A test at the 1 % level that is repeated while values come in raises more false alarms than 1 %. So the numbers of
values at which to look are planned, and each look spends a part of the total error (Lan and DeMets 1983, Biometrika
70): its boundary is crossed for the first time exactly as often as it spends if there is no effect. Sums of values are
a Gaussian random walk, whose density is carried from look to look by numerical integration (Armitage, McPherson and
Rowe 1969, J. R. Stat. Soc. A 132; Jennison and Turnbull 2000, chapter 19). Since the variance is unknown, boundaries
serve as significance levels of Student's t (Pocock 1977, Biometrika 64; Jennison and Turnbull, section 4.4).

Values must be independent, and nothing about the looks may depend on them: neither when they are nor how many values
may come.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr, logsumexp, ndtr, ndtri

GROWTH = math.sqrt(2)
"""Of the number of values from look to look. A decision comes at most 41 % later than it could, and more looks would
each have less error to spend."""
FEWER = 3
"""How many values fewer the walk counts. Student's t of few values depends more on their deviation than on their mean,
so looks are less alike than those of a walk, and together err up to 11 % more often; its variance is (n - 1) / (n - 3).
Counted like this they err as often as they should, to 4 % of the error: tests/stats/test_group_sequential.py."""
FIRST = FEWER + 1
"""The least number of values at the first look."""

_LOWEST = -8.0
"""Where the density is cut off below, in standard deviations: 6e-16 lies beyond."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_WIDTH = 3.0
"""Of a panel with that many nodes, in standard deviations of the step: exact to 14 digits."""
_PANELS = 64
"""At most, however close looks are."""

Floats = npt.NDArray[np.float64]


def looks(first: int, most: int) -> tuple[int, ...]:
    """The numbers of values at which to look: `first`, then growing by a factor of about `GROWTH`, and `most`.

    A look closer to `most` than half a step is left out, even the first. Raises `ValueError` unless `FIRST` <= first
    <= most.
    """
    if not FIRST <= first <= most:
        raise ValueError(f"The first look is at {first} values: it must be at {FIRST} to {most}.")
    steps = math.floor(math.log(most / first, GROWTH) + 0.5)
    return (*(round(first * GROWTH**step) for step in range(steps)), most)


def levels(counts: Sequence[int], most: int, error: float, *, final: bool = False) -> tuple[float, ...]:
    """The one-sided significance level of Student's t at each of the looks so far, if at most `most` values may come.

    `counts` has the number of values at each look. Without an effect, at least one of all looks is significant with
    probability `error`. The last look spends whatever error is left if it is at `most` values, or `final` since no more
    will come; levels of earlier looks are the same either way. Raises `ValueError` if there are fewer than `FIRST`
    values, or the numbers do not grow, or exceed `most`, or `error` is not between 0 and 0.5.
    """
    if not counts or counts[0] < FIRST or any(b <= a for a, b in pairwise(counts)):
        raise ValueError(f"Looks are at growing numbers of values, at least {FIRST}, not at {list(counts)}.")
    if counts[-1] > most:
        raise ValueError(f"There is a look at {counts[-1]} values, but at most {most} may come.")
    if not 0 < error < 0.5:
        raise ValueError(f"An error must be between 0 and 0.5, not {error}.")
    spending = [error * spent(count, counts[0], most) for count in counts]
    if final:
        spending[-1] = error
    walk = tuple(count - FEWER for count in counts)
    return tuple(float(ndtr(-boundary)) for boundary in boundaries(walk, tuple(spending)))


def spent(count: int, first: int, most: int) -> float:
    """The share of the error that is spent after `count` values: equal parts whenever their number doubles.

    How many will be needed depends on noise that is not known before. Spent like this, no number is favoured. The first
    look spends as much as any step by `GROWTH`.
    """
    begin = first / GROWTH
    return math.log(count / begin) / math.log(most / begin)


@lru_cache(maxsize=256)
def boundaries(counts: tuple[int, ...], spending: tuple[float, ...]) -> tuple[float, ...]:
    """The upper boundaries of a Gaussian random walk at each look, in standard deviations of the sum.

    `counts` has the number of increments up to each look, and `spending` the probability that a boundary has been
    crossed up to there. Both must grow.
    """
    walk, crossed = _Walk(0, np.zeros(1), np.ones(1)), 0.0
    found: list[float] = []
    for index, (count, spends) in enumerate(zip(counts, spending, strict=True)):
        found.append(_boundary(walk, count, spends - crossed))
        if index + 1 < len(counts):
            walk, crossed = _step(walk, count, found[-1], counts[index + 1]), spends
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Walk:
    """The distribution of the sum where no boundary has been crossed: masses at some of its values."""

    count: int
    sums: Floats
    masses: Floats


def _boundary(walk: _Walk, count: int, error: float) -> float:
    """The boundary that is crossed first at `count` increments with probability `error`, by Newton's method.

    The logarithm of that probability is concave in the boundary, so coming from above no step goes too far.
    """
    boundary, scale = float(-ndtri(error)), math.sqrt(count - walk.count)
    log_masses, per_boundary = np.log(walk.masses), math.sqrt(count) / scale
    for _ in range(50):
        distances = boundary * per_boundary - walk.sums / scale
        crossing = float(logsumexp(log_masses + log_ndtr(-distances)))
        slope = per_boundary * float(_normal(distances, log_masses - crossing).sum())
        step = (crossing - math.log(error)) / slope
        boundary += step
        if abs(step) < 1e-10:
            break
    return boundary


def _step(walk: _Walk, count: int, boundary: float, following: int) -> _Walk:
    """The walk at `count` below the boundary, at sums close enough to each other for the step to `following`."""
    scale = math.sqrt(count - walk.count)
    low, high = _LOWEST * math.sqrt(count), boundary * math.sqrt(count)
    narrowest = min(scale, math.sqrt(following - count))
    panels = min(_PANELS, math.ceil((high - low) / (_WIDTH * narrowest)))
    half = (high - low) / (2 * panels)
    sums = (low + half * (2 * np.arange(panels)[:, None] + 1 + _NODES)).ravel()
    density = _normal((sums[:, None] - walk.sums) / scale) @ walk.masses / scale
    return _Walk(count, sums, density * np.tile(half * _WEIGHTS, panels))


def _normal(z: Floats, log_factor: Floats | float = 0.0) -> Floats:
    """The standard normal density, times a factor that is given by its logarithm."""
    density: Floats = np.exp(log_factor - z * z / 2) / math.sqrt(2 * math.pi)
    return density
