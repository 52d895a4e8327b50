"""From a change with its bounds to a decision, or to none yet.

    regressed     the slowdown exceeds what is allowed, and by more than the least change that counts
    improved      it became faster by more than that
    same          a slowdown of `resolution` beyond what is allowed is ruled out, or any beyond the floor
    None          neither is shown: measure more

To fail, a slowdown must be shown; to pass, it must be ruled out (as in equivalence testing: Schuirmann 1987, J.
Pharmacokinet. Biopharm. 15). What each claim may cost in errors is decided where the bounds are made
(`firstpacket.bench.gate.change`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from firstpacket.bench.contract import Omitted
from firstpacket.bench.stats.bootstrap import Interval

Verdict = Literal["improved", "same", "regressed", "inconclusive", "no baseline", "not comparable"]

LEAST_CHANGE = 0.01
"""No smaller change counts as one: code that was moved, without doing anything else, can be slower by as much, because
it lies elsewhere in memory (Mytkowicz et al. 2009, ASPLOS)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What is allowed: shares (0.05 is 5 %), and a floor in ms."""

    max_regression: float = 0.0
    resolution: float = 0.04
    floor_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Spread:
    """An estimate, and how certain it is."""

    value: float
    interval_95: Interval
    """For people: it holds in 95 % of gates, whatever made them end."""
    shown: Omitted[Interval]
    """For claims that something changed: each end is a bound by itself."""
    ruled_out: Omitted[float]
    """For the claim that nothing became slower: a bound from above."""


@dataclass(frozen=True, slots=True)
class Change:
    """The candidate against the baseline."""

    starts: int
    """Starts of fresh processes on both sides; with a stored baseline, its runs (see `unit`)."""
    pairs: int
    clips: int
    ratio: Spread | None
    """Candidate over baseline; None if a value is not positive, or nothing was measured on both sides."""
    difference_ms: Spread | None
    """Candidate minus baseline; None if nothing was measured on both sides."""
    between_sd: float | None = None
    """How much a pair of processes differs from the next, beyond the noise of its turns: a standard deviation, as a
    share. With a stored baseline, how much its runs differ. None where there are too few to tell."""
    between_sd_95: Interval | None = None
    """How well that is known; None with a stored baseline."""
    within_sd: float | None = None
    """How much a pair of turns differs from the next of the same processes."""
    band: float = 0.0
    """A share by which the bounds are widened, because too little was measured to know it; 0 if enough was."""
    unit: Literal["start", "run"] = "start"
    """What `starts` counts and `between_sd` is about: starts of both sides, or the runs of a stored baseline."""


def decide(change: Change, rule: Rule) -> Verdict | None:
    """The verdict, or None if more must be measured."""
    difference = change.difference_ms
    if difference is None:
        return None
    if change.ratio is None:
        return _by_difference(difference, rule)
    verdict = _by_ratio(change.ratio, rule)
    if verdict == "regressed" and difference.value < rule.floor_ms:
        return "same" if difference.ruled_out < rule.floor_ms else None
    if verdict is None and difference.ruled_out < rule.floor_ms:
        return "same"
    return verdict


def _by_ratio(ratio: Spread, rule: Rule) -> Verdict | None:
    allowed = 1 + rule.max_regression
    if ratio.shown.low > allowed * (1 + LEAST_CHANGE):
        return "regressed"
    if ratio.shown.high < 1 / (1 + LEAST_CHANGE):
        return "improved"
    return "same" if ratio.ruled_out < allowed * (1 + rule.resolution) else None


def _by_difference(difference: Spread, rule: Rule) -> Verdict | None:
    """For values that may be negative, shares mean nothing, so only the floor counts."""
    if difference.shown.low > rule.floor_ms:
        return "regressed"
    if difference.shown.high < -rule.floor_ms:
        return "improved"
    return "same" if difference.ruled_out < rule.floor_ms else None
