"""Shares and paired shares, without resampling: intervals do not collapse where all trials have one outcome."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from scipy.special import bdtr, betaincinv, ndtri

from firstpacket.bench.stats.bootstrap import LEVEL, Estimate, Interval


@dataclass(frozen=True, slots=True)
class Share:
    """How many of `n` succeeded, as `value` in [0, 1]; `clusters` of them are independent of each other."""

    value: float
    n: int
    clusters: int
    interval: Interval


def share(succeeded: Sequence[bool], clusters: Sequence[Hashable] | None = None, *, level: float = LEVEL) -> Share:
    """The share of successes, with the interval of Clopper and Pearson (1934, Biometrika 26), which is never too
    narrow.

    If several trials belong to one cluster (a clip that is used several times), the number of clusters replaces the
    number of trials: Korn and Graubard (1998, Survey Methodology 24), with the largest possible design effect. Raises
    `ValueError` without values, or if lengths differ.
    """
    if not succeeded or (clusters is not None and len(clusters) != len(succeeded)):
        raise ValueError("A share needs at least one trial, and a cluster for every one.")
    trials = len(succeeded) if clusters is None else len(set(clusters))
    value = sum(succeeded) / len(succeeded)
    count, tail = value * trials, (1 - level) / 2
    low = 0.0 if value == 0 else float(betaincinv(count, trials - count + 1, tail))
    high = 1.0 if value == 1 else float(betaincinv(count + 1, trials - count, 1 - tail))
    return Share(value, len(succeeded), trials, Interval(low, high, level))


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided p that discordant pairs are split at least this unevenly if both directions are equally likely.

    Exact, from the binomial distribution (McNemar 1947, Psychometrika 12); 1 if no pair is discordant.
    """
    differing = only_first + only_second
    return min(1.0, 2 * float(bdtr(min(only_first, only_second), differing, 0.5))) if differing else 1.0


def share_difference(only_first: int, only_second: int, pairs: int, *, level: float = LEVEL) -> Estimate:
    """How much larger the second share is than the first, in [-1, 1], from the pairs in which one alone succeeded.

    The interval is Tango's (1998, Statistics in Medicine 17): all differences that a two-sided score test does not
    reject. A difference of 0 is outside if McNemar's test without correction rejects it. Raises `ValueError` without
    pairs, or with more that differ than there are.
    """
    from scipy.optimize import brentq  # slow to import, and few need it

    if pairs < 1 or min(only_first, only_second) < 0 or only_first + only_second > pairs:
        raise ValueError("A difference of shares needs at least one pair, and at most all of them may differ.")
    value, bound = (only_second - only_first) / pairs, float(ndtri((1 + level) / 2))

    def rejects(difference: float, side: float) -> float:
        return side * _score(only_first, only_second, pairs, difference) - bound

    low = -1.0 if value == -1 else brentq(rejects, -1, value, (1.0,))
    high = 1.0 if value == 1 else brentq(rejects, value, 1, (-1.0,))
    return Estimate(value, pairs, pairs, Interval(float(low), float(high), level))


def _score(only_first: int, only_second: int, pairs: int, difference: float) -> float:
    """Tango's statistic of `difference`, 0 where it is what was observed.

    The share of pairs in which the first alone succeeds is estimated under the condition that the shares differ so
    much: the larger root of 2 n x² - B x - C.
    """
    gap = only_second - only_first - pairs * difference
    if gap == 0:
        return 0.0
    linear = only_first + only_second - (2 * pairs - only_second + only_first) * difference
    constant = only_first * difference * (1 - difference)
    first = (linear + math.sqrt(max(0.0, linear**2 + 8 * pairs * constant))) / (4 * pairs)
    variance = pairs * (2 * first + difference * (1 - difference))
    return gap / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, gap)
