"""From a change with its intervals to a verdict.

    regressed       the slowdown exceeds what is allowed and the noise band, at the 95 % level (one-sided), and is at
                    least as large as the floor
    same            a slowdown of `resolution` beyond what is allowed is ruled out, at the 97.5 % level (one-sided), or
                    any change is smaller than the floor
    improved        it became faster beyond the noise band, at the 95 % level
    inconclusive    none of these: there are too few turns to tell

The band keeps the noise of the same code (measured by an A/A run) from counting as a regression; the resolution keeps a
gate with too little data from passing. To fail, a slowdown must be shown; to pass, it must be ruled out (as in
equivalence testing: Schuirmann 1987, J. Pharmacokinet. Biopharm. 15).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from firstpacket.bench.stats.bootstrap import Interval

Verdict = Literal["improved", "same", "regressed", "inconclusive", "no baseline", "not comparable"]

LEAST_BAND = 0.01
"""The minimum noise band: two processes of one program can differ by this much because of their memory layout
(Mytkowicz et al. 2009, ASPLOS)."""

SHOWN = 0.90
"""Level of the two-sided interval whose ends are one-sided 95 % bounds: to claim that something changed."""
RULED_OUT = 0.95
"""The same at 97.5 %: to claim that nothing changed."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What is allowed: shares (0.05 is 5 %), and a floor in ms."""

    band: float = LEAST_BAND
    max_regression: float = 0.0
    resolution: float = 0.04
    floor_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Spread:
    """A change with its two-sided intervals at the levels `SHOWN` and `RULED_OUT`."""

    value: float
    interval_90: Interval
    interval_95: Interval


@dataclass(frozen=True, slots=True)
class Change:
    """The candidate against the baseline, over all pairs."""

    pairs: int
    clips: int
    ratio: Spread | None
    """Candidate over baseline; None if a value is not positive."""
    difference_ms: Spread | None
    """Candidate minus baseline; None with too few pairs."""


def judge(change: Change, rule: Rule) -> Verdict:
    """The verdict on one set of pairs; whether to measure again is decided elsewhere."""
    difference = change.difference_ms
    if difference is None:
        return "inconclusive"
    if change.ratio is None:
        return _by_difference(difference, rule)
    verdict = _by_ratio(change.ratio, rule)
    if verdict == "regressed" and difference.value < rule.floor_ms:
        return "same"
    if verdict == "inconclusive" and difference.interval_95.high < rule.floor_ms:
        return "same"
    return verdict


def _by_ratio(ratio: Spread, rule: Rule) -> Verdict:
    allowed = 1 + rule.max_regression
    if ratio.interval_90.low > allowed * (1 + rule.band):
        return "regressed"
    if ratio.interval_90.high < 1 / (1 + rule.band):
        return "improved"
    if ratio.interval_95.high < allowed * (1 + rule.resolution):
        return "same"
    return "inconclusive"


def _by_difference(difference: Spread, rule: Rule) -> Verdict:
    """For values that may be negative, shares mean nothing, so only the floor counts."""
    if difference.interval_90.low > rule.floor_ms:
        return "regressed"
    if difference.interval_95.high < rule.floor_ms:
        return "improved" if difference.interval_90.high < -rule.floor_ms else "same"
    return "inconclusive"
