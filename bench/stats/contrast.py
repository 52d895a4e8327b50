"""The difference between the medians of two groups, with a seeded bootstrap interval over clusters."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from firstpacket.bench.stats.bootstrap import (
    MIN_CLUSTERS,
    SAMPLING,
    Estimate,
    Floats,
    Interval,
    Numbers,
    Sampling,
    draws_of,
    numbered,
)

_CELLS = 250_000
"""Resamples times values per batch: about the size of a second-level cache."""


def median_contrast(
    values: Sequence[float],
    is_in: Sequence[bool],
    clusters: Sequence[Hashable],
    *,
    sampling: Sampling = SAMPLING,
) -> Estimate:
    """Median of the values in the group, minus the median of the others, in the unit of the values.

    Whole clusters are drawn, with their values of both groups; draws that leave a group empty are skipped. `n` is the
    number of values in the group. The interval is None if either group has fewer than `MIN_CLUSTERS` clusters. Raises
    `ValueError` if a group is empty, or if lengths differ.
    """
    if not len(values) == len(is_in) == len(clusters) or len(set(is_in)) < 2:
        raise ValueError("A contrast needs two groups, and a cluster for every value.")
    data, inside = np.asarray(values, np.float64), np.asarray(is_in, bool)
    owner = numbered(tuple(clusters))
    found = float(np.median(data[inside]) - np.median(data[~inside]))
    fewest = min(len(set(owner[group])) for group in (inside, ~inside))
    if fewest < MIN_CLUSTERS:
        return Estimate(found, int(inside.sum()), fewest, None)
    draws = draws_of(int(owner.max()) + 1, sampling.resamples, sampling.seed)
    replicas = _medians(data[inside], owner[inside], draws) - _medians(data[~inside], owner[~inside], draws)
    tail = (1 - sampling.level) / 2
    low, high = np.nanquantile(replicas, (tail, 1 - tail))
    return Estimate(found, int(inside.sum()), fewest, Interval(float(low), float(high), sampling.level))


def _medians(data: Floats, owner: Numbers, draws: Numbers) -> Floats:
    """The median of every draw, each value counted as often as its cluster was drawn; NaN if none was."""
    order = np.argsort(data, kind="stable")
    data, owner = data[order], owner[order]
    step = max(1, _CELLS // len(data))
    parts = []
    for at in range(0, len(draws), step):
        reached = np.cumsum(draws[at : at + step][:, owner], axis=1)
        total = reached[:, -1:]
        lower, upper = (np.argmax(reached > rank, axis=1) for rank in ((total - 1) // 2, total // 2))
        parts.append(np.where(total[:, 0] > 0, (data[lower] + data[upper]) / 2, np.nan))
    return np.concatenate(parts)
