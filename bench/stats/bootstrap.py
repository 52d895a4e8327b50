"""Seeded bootstrap intervals for clustered values.

Values of one cluster resemble each other, so whole clusters are drawn with replacement, and every value of a cluster
counts as often as its cluster was drawn (Davison and Hinkley, 1997, section 3.8).

Intervals are expanded percentile intervals. With few clusters the plain percentiles are too narrow, just as the normal
distribution is compared with Student's t, and they are moved outwards by exactly that (Hesterberg, 2015, "What teachers
should know about the bootstrap", The American Statistician 69). tests/benchmarks/test_interval_coverage.py measures how
often such intervals contain the true value.

BCa is not used. Its acceleration comes from the jackknife, which is inconsistent for the median (Efron and Tibshirani,
1993, section 11.6). For means it is a trade-off, measured in the same benchmark: expanded in the same way, it covers up
to 3 points better on strongly skewed values, and 2 to 3 points worse on heavy symmetric tails. Means here are mostly of
paired differences, which are the latter. With rare long stalls, the interval of a mean covers far less than its nominal
level either way.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

LEVEL = 0.95
RESAMPLES = 2000
SEED = 0
MIN_CLUSTERS = 6
"""The number of clusters below which no 95 % interval for a median exists: even the range from the smallest to the
largest of k values covers it with probability 1 - 2^(1-k) only, which reaches 0.95 at k = 6."""

MAX_CLUSTERS = 2000
"""With more clusters, neighbours by name are merged until this many remain. They are still independent of each
other, and the time and memory of drawing them stay bounded."""

_CELLS = 250_000
"""Resamples times values per batch: about the size of a second-level cache."""
_MIDDLE = 2.0
"""Medians of resamples are first searched among this many times the square root of n values on either side of the
median: four standard deviations of their ranks, if values are independent."""

Statistic = Literal["median", "mean"]
Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How an interval is computed: its level, the number of resamples, and the seed."""

    level: float = LEVEL
    resamples: int = RESAMPLES
    seed: int = SEED


SAMPLING = Sampling()


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval at `level`, both ends in the unit of the values."""

    low: float
    high: float
    level: float = LEVEL

    def contains(self, value: float) -> bool:
        """Whether `value` is inside, ends included."""
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic of `n` values from `clusters` clusters, with its interval if there are enough clusters."""

    value: float
    n: int
    clusters: int
    interval: Interval | None


def estimate(
    values: Sequence[float],
    clusters: Sequence[Hashable],
    statistic: Statistic = "median",
    *,
    blocks: Sequence[Hashable] | None = None,
    sampling: Sampling = SAMPLING,
) -> Estimate:
    """The statistic of all values pooled, with its interval by bootstrap over clusters.

    Values may also belong to `blocks` that cross the clusters (all clips played within some minutes). With at least
    `MIN_CLUSTERS` blocks, blocks are resampled too, and the wider of the two intervals is returned.

    The result depends on the seed and on the clusters' names (as text), but not on the order of the values. The
    interval is None with fewer than `MIN_CLUSTERS` clusters. Raises `ValueError` without values, or if lengths differ.
    """
    groupings = [clusters] if blocks is None else [clusters, blocks]
    if len(values) == 0 or any(len(values) != len(grouping) for grouping in groupings):
        raise ValueError(f"Values ({len(values)}) and clusters ({len(clusters)}) must be as many, and at least one.")
    data = np.asarray(values, dtype=np.float64)
    owners = [numbered(tuple(grouping)) for grouping in groupings]
    count = int(owners[0].max()) + 1
    value = float(np.quantile(data, 0.5)) if statistic == "median" else float(np.mean(np.sort(data)))
    if count < MIN_CLUSTERS:
        return Estimate(value, len(data), count, None)
    found = [
        expanded(_replicas(data, _joined(owner), statistic, sampling), int(owner.max()) + 1, sampling.level)
        for owner in owners
        if owner.max() + 1 >= MIN_CLUSTERS
    ]
    return Estimate(value, len(data), count, max(found, key=lambda interval: interval.high - interval.low))


def expanded(replicas: Floats, clusters: int, level: float = LEVEL) -> Interval:
    """The expanded percentile interval from the statistic of every resample of this many clusters (at least two)."""
    from scipy.special import ndtr, stdtrit  # takes 0.2 s to import, which runs of few clips and workers never need

    reach = np.sqrt(clusters / (clusters - 1)) * stdtrit(clusters - 1, (1 + level) / 2)
    low, high = np.quantile(replicas, (ndtr(-reach), ndtr(reach)))
    return Interval(float(low), float(high), level)


@lru_cache(maxsize=8)
def numbered(names: tuple[Hashable, ...]) -> Numbers:
    """The index of every value's cluster; clusters are numbered in the order of their text. Cached, like `draws_of`."""
    texts = [str(name) for name in names]
    number = {text: index for index, text in enumerate(sorted(set(texts)))}
    owner = np.array([number[text] for text in texts], dtype=np.int64)
    owner.setflags(write=False)
    return owner


def _joined(owner: Numbers) -> Numbers:
    """The same, with neighbours merged if there are more than `MAX_CLUSTERS`."""
    count = int(owner.max()) + 1
    return owner * MAX_CLUSTERS // count if count > MAX_CLUSTERS else owner


def _replicas(data: Floats, owner: Numbers, statistic: Statistic, sampling: Sampling) -> Floats:
    order = np.lexsort((owner, data))
    draws = draws_of(int(owner.max()) + 1, sampling.resamples, sampling.seed)
    return (_medians if statistic == "median" else _means)(data[order], owner[order], draws)


@lru_cache(maxsize=4)
def draws_of(count: int, resamples: int, seed: int) -> Numbers:
    """How often each cluster was drawn, by resample. Cached, since many figures of a run use the same clusters."""
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
    draws.setflags(write=False)
    return draws


def _medians(data: Floats, owner: Numbers, draws: Numbers) -> Floats:
    """The median of every resample, from ascending values that count as often as their cluster was drawn.

    It is searched among the middle values first, and further out only for those resamples whose median is there.
    """
    medians = np.empty(len(draws))
    total = draws @ _sizes(owner, draws)
    rows = np.arange(len(draws))
    half = int(_MIDDLE * len(data) ** 0.5) + 1
    while len(rows):
        start, stop = max(0, len(data) // 2 - half), len(data) // 2 + half
        below = draws[rows] @ _sizes(owner[:start], draws)
        beneath_stop = draws[rows] @ _sizes(owner[:stop], draws)
        inside = (below <= (total[rows] - 1) // 2) & (total[rows] // 2 < beneath_stop)
        step = max(1, _CELLS // (stop - start))
        within = rows[inside]
        for at in range(0, len(within), step):
            some = within[at : at + step]
            left = total[some] - 2 * below[inside][at : at + step]
            medians[some] = _medians_at_once(data[start:stop], owner[start:stop], draws[some], left)
        rows, half = rows[~inside], 4 * half
    return medians


def _medians_at_once(data: Floats, owner: Numbers, draws: Numbers, twice: Numbers) -> Floats:
    """The mean of the values at the ranks `(twice - 1) // 2` and `twice // 2` of every resample, counted from 0."""
    reached = np.cumsum(draws.astype(np.int32)[:, owner], axis=1, dtype=np.int32)
    lower = np.argmax(reached > ((twice - 1) // 2)[:, None], axis=1)
    upper = np.argmax(reached > (twice // 2)[:, None], axis=1)
    return np.asarray((data[lower] + data[upper]) / 2)


def _means(data: Floats, owner: Numbers, draws: Numbers) -> Floats:
    sums = np.bincount(owner, weights=data, minlength=draws.shape[1])
    return np.asarray((draws @ sums) / (draws @ _sizes(owner, draws)))


def _sizes(owner: Numbers, draws: Numbers) -> Numbers:
    """Values by cluster."""
    return np.bincount(owner, minlength=draws.shape[1])
