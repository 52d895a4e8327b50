"""A ratio of sums, such as errors over words, with a seeded bootstrap interval over clusters."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from firstpacket.bench.stats.bootstrap import MIN_CLUSTERS, SAMPLING, Estimate, Sampling, draws_of, expanded, numbered


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
    owner = numbered(tuple(clusters))
    tops, bottoms = (np.bincount(owner, weights=np.asarray(values, np.float64)) for values in (above, below))
    value, count = float(tops.sum() / bottoms.sum()), int(owner.max()) + 1
    if count < MIN_CLUSTERS:
        return Estimate(value, len(below), count, None)
    draws = draws_of(count, sampling.resamples, sampling.seed)
    return Estimate(value, len(below), count, expanded((draws @ tops) / (draws @ bottoms), count, sampling.level))
