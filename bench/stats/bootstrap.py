"""Seeded bootstrap intervals for values that come in clusters.

Values of one cluster resemble each other, so whole clusters are drawn with replacement, and
every value of a drawn cluster counts as often as its cluster was drawn (Davison and Hinkley, 1997, section 3.8).

Intervals are percentile intervals. BCa is not used: its acceleration comes from the jackknife, which is inconsistent
for the median (Efron and Tibshirani, 1993, section 11.6), and the median is what is reported.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

LEVEL = 0.95
RESAMPLES = 2000
SEED = 0
MIN_CLUSTERS = 6
"""Below this many clusters no 95 % interval for a median exists: even from the smallest to the largest of k values
covers it with probability 1 - 2^(1-k) only, which reaches 0.95 at k = 6."""

_CELLS = 250_000
"""Resamples times values worked on at once: about what a second-level cache holds."""

Statistic = Literal["median", "mean"]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval at `level`, both ends in the unit of the values."""

    low: float
    high: float
    level: float = LEVEL

    def contains(self, value: float) -> bool:
        """Whether `value` lies within, ends included."""
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic of `n` values from `clusters` clusters, with its interval if there are clusters enough."""

    value: float
    n: int
    clusters: int
    interval: Interval | None

    @property
    def why_none(self) -> str:
        """Why there is no interval, or nothing: `1 cluster < 6`."""
        if self.interval is not None:
            return ""
        return f"{self.clusters} {'cluster' if self.clusters == 1 else 'clusters'} < {MIN_CLUSTERS}"


def estimate(
    values: Sequence[float],
    clusters: Sequence[Hashable],
    statistic: Statistic = "median",
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Estimate:
    """The statistic of all values pooled, with its interval by bootstrap over clusters.

    The order of the values changes nothing; the seed and the clusters' names (by their text) do. The interval is None
    with fewer than `MIN_CLUSTERS` clusters. Raises `ValueError` without values, or when lengths differ.
    """
    if len(values) == 0 or len(values) != len(clusters):
        raise ValueError(f"Values ({len(values)}) and clusters ({len(clusters)}) must be as many, and at least one.")
    data, owner, count = _canonical(values, clusters)
    value = float(np.quantile(data, 0.5)) if statistic == "median" else float(np.mean(data))
    if count < MIN_CLUSTERS:
        return Estimate(value, len(data), count, None)
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
    replicas = _medians(data, owner, draws) if statistic == "median" else _means(data, owner, draws)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(replicas, (tail, 1 - tail))
    return Estimate(value, len(data), count, Interval(float(low), float(high)))


def _canonical(values: Sequence[float], clusters: Sequence[Hashable]) -> tuple[Floats, npt.NDArray[np.intp], int]:
    """Values in ascending order, each with the number of its cluster (clusters numbered by their text)."""
    names = [str(cluster) for cluster in clusters]
    number = {name: index for index, name in enumerate(sorted(set(names)))}
    owner = np.array([number[name] for name in names], dtype=np.intp)
    data = np.asarray(values, dtype=np.float64)
    order = np.lexsort((owner, data))
    return data[order], owner[order], len(number)


def _medians(data: Floats, owner: npt.NDArray[np.intp], draws: npt.NDArray[np.int64]) -> Floats:
    """The median of every resample: sorted values, each as often as its cluster was drawn."""
    step = max(1, _CELLS // len(data))
    parts = [_medians_at_once(data, owner, draws[at : at + step]) for at in range(0, len(draws), step)]
    return np.concatenate(parts)


def _medians_at_once(data: Floats, owner: npt.NDArray[np.intp], draws: npt.NDArray[np.int64]) -> Floats:
    reached = np.cumsum(draws.astype(np.int32)[:, owner], axis=1, dtype=np.int32)
    total = reached[:, -1:]
    lower = np.argmax(reached > (total - 1) // 2, axis=1)
    upper = np.argmax(reached > total // 2, axis=1)
    return np.asarray((data[lower] + data[upper]) / 2)


def _means(data: Floats, owner: npt.NDArray[np.intp], draws: npt.NDArray[np.int64]) -> Floats:
    sums = np.bincount(owner, weights=data, minlength=draws.shape[1])
    sizes = np.bincount(owner, minlength=draws.shape[1])
    return np.asarray((draws @ sums) / (draws @ sizes))
