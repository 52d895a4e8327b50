"""Shares and paired shares, exactly: without resampling, so intervals do not collapse if all or none succeed."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from scipy.special import bdtr, betaincinv

from firstpacket.bench.stats.bootstrap import LEVEL, Interval


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
