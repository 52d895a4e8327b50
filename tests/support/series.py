"""Series from numbers, and noise between the runs of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from firstpacket.bench.history.series import Point, Series
from firstpacket.bench.stats.bootstrap import Estimate

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
Floats = npt.NDArray[np.float64]


def make_series(values: Sequence[float] | Floats) -> Series:
    """A run a day, named by its number."""
    points = [
        Point(str(day), str(day), FIRST + timedelta(days=day), "direct", Estimate(float(value), 8, 8, None), 0)
        for day, value in enumerate(values)
    ]
    return Series("direct", "Some CPU", tuple(points))


def like_the_one_before(n: int, random: np.random.Generator, share: float) -> Floats:
    """Normal noise with this correlation from run to run."""
    found = random.standard_normal(n)
    for at in range(1, n):
        found[at] = share * found[at - 1] + np.sqrt(1 - share * share) * found[at]
    return found


NOISES: dict[str, Callable[[int, np.random.Generator], Floats]] = {
    "normal": lambda n, random: random.standard_normal(n),
    "heavy tails (t, 3 degrees of freedom)": lambda n, random: random.standard_t(3, n),
    "one run in 20 stalls (20 times the noise)": lambda n, random: (
        random.standard_normal(n) + 20 * (random.random(n) < 0.05)
    ),
    "like the run before (correlation 0.3)": lambda n, random: like_the_one_before(n, random, 0.3),
    "like the run before (correlation 0.5)": lambda n, random: like_the_one_before(n, random, 0.5),
}
"""Noise in units of itself, shape `(n,)`."""


def levels(noise: Floats, share: float = 0.01, level: float = 200.0) -> Floats:
    """Medians around a level, ms, with noise of this share."""
    return np.asarray(level * np.exp(share * noise))
