"""Ratios of sums, such as errors over words, with seeded bootstrap intervals over clusters."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from firstpacket.bench.stats.bootstrap import (
    MIN_CLUSTERS,
    SAMPLING,
    Estimate,
    Floats,
    Sampling,
    draws_of,
    expanded,
    numbered,
)


def ratio_of_sums(
    above: Sequence[float],
    below: Sequence[float],
    clusters: Sequence[Hashable],
    *,
    sampling: Sampling = SAMPLING,
) -> Estimate:
    """Sum of `above` over sum of `below`, element by element of the same clusters; all of `below` must be positive.

    Whole clusters are drawn and their sums divided, as Bisani and Ney (2004) do for word error rates, so long texts
    count more than short ones. The interval is None with fewer than `MIN_CLUSTERS` clusters. Raises `ValueError`
    without values, if lengths differ, or if a value of `below` is not positive.
    """
    if not len(above) == len(below) == len(clusters) or not len(below) or min(below) <= 0:
        raise ValueError("A ratio of sums needs as many values above, values below (over 0) and clusters.")
    value, count = sum(above) / sum(below), len(set(clusters))
    interval = None
    if count >= MIN_CLUSTERS:
        interval = expanded(_drawn(above, below, clusters, sampling), count, sampling.level)
    return Estimate(value, len(below), count, interval)


def difference_of_ratios(
    first: Sequence[tuple[float, float]],
    second: Sequence[tuple[float, float]],
    clusters: Sequence[Hashable],
    *,
    sampling: Sampling = SAMPLING,
) -> Estimate:
    """The second ratio of sums minus the first; element by element of the same clusters, each is (above, below).

    A cluster is drawn for both sides at once, so what makes it hard for both does not widen the interval. Otherwise as
    `ratio_of_sums`.
    """
    sides = [tuple(zip(*side, strict=True)) for side in (first, second)]
    before, after = (ratio_of_sums(above, below, clusters, sampling=sampling) for above, below in sides)
    interval = None
    if before.interval is not None:
        drawn = [_drawn(above, below, clusters, sampling) for above, below in sides]
        interval = expanded(drawn[1] - drawn[0], before.clusters, sampling.level)
    return Estimate(after.value - before.value, before.n, before.clusters, interval)


def _drawn(above: Sequence[float], below: Sequence[float], clusters: Sequence[Hashable], sampling: Sampling) -> Floats:
    """The ratio in every resample of the clusters."""
    owner = numbered(tuple(clusters))
    tops, bottoms = (np.bincount(owner, weights=np.asarray(values, np.float64)) for values in (above, below))
    draws = draws_of(len(bottoms), sampling.resamples, sampling.seed)
    ratios: Floats = (draws @ tops) / (draws @ bottoms)
    return ratios
