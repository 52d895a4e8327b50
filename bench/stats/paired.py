"""Differences and ratios of pairs, with intervals by bootstrap over clusters of pairs."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import replace

from firstpacket.bench.stats.bootstrap import SAMPLING, Estimate, Interval, Sampling, Statistic, estimate

DIFFERENCE = "median of the paired differences"
RATIO = "exponential of the median of the paired log ratios"


def paired_difference(
    before: Sequence[float],
    after: Sequence[float],
    clusters: Sequence[Hashable],
    *,
    statistic: Statistic = "median",
    blocks: Sequence[Hashable] | None = None,
    sampling: Sampling = SAMPLING,
) -> Estimate:
    """The median (or mean) of `after - before` over the pairs, in the unit of the values.

    The median of the differences is not the difference of the medians. `blocks`: as in `estimate`. Raises `ValueError`
    without pairs, or if lengths differ.
    """
    differences = [b - a for a, b in zip(before, after, strict=True)]
    return estimate(differences, clusters, statistic, blocks=blocks, sampling=sampling)


def paired_ratio(
    before: Sequence[float],
    after: Sequence[float],
    clusters: Sequence[Hashable],
    *,
    blocks: Sequence[Hashable] | None = None,
    sampling: Sampling = SAMPLING,
) -> Estimate | None:
    """The exponential of the median of `log(after / before)` over the pairs; None if a value is not positive.

    On the log scale the ratio of A to B is the inverse of the ratio of B to A, also with an even number of pairs.
    Raises `ValueError` without pairs, or if lengths differ.
    """
    pairs = list(zip(before, after, strict=True))
    if any(a <= 0 or b <= 0 for a, b in pairs):
        return None
    ratios = [math.log(b / a) for a, b in pairs]
    logs = estimate(ratios, clusters, blocks=blocks, sampling=sampling)
    interval = logs.interval
    if interval is not None:
        interval = Interval(math.exp(interval.low), math.exp(interval.high), interval.level)
    return replace(logs, value=math.exp(logs.value), interval=interval)
