"""From pairs of values to a change: how much slower or faster, with the bounds that decisions are based on.

The pair of processes is the unit: the turns of one start share how its processes happened to turn out. So each start
gives one value, the mean of the middle of its pairs, which disturbed turns or two kinds of turns do not upset, and
Student's t over these values gives the bounds. The corpus is fixed and the same on both sides, so clips are not
random: a bound tells how certain the change is on these clips.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from statistics import stdev

from firstpacket.bench.compare.pairs import Pairs
from firstpacket.bench.gate.decision import Change, Spread
from firstpacket.bench.stats.bootstrap import Interval
from firstpacket.bench.stats.group_sequential import levels
from firstpacket.bench.stats.hodges_lehmann import shift, shift_interval
from firstpacket.bench.stats.quantiles import median
from firstpacket.bench.stats.replicates import Components, Location, location, t_bounds, variance_components

FALSE_ALARMS = 0.01
"""Largest probability that a gate reports a regression although nothing became slower: over all its checks."""
MISSED = 0.05
"""Largest probability that a check passes although it became slower by the resolution."""
LEAST_STARTS = 5
"""With fewer starts, it is unknown how much processes differ, and `DEFAULT_BAND` is assumed."""
MOST_STARTS = 200
"""More would take hours; a machine that needs more is too noisy for a gate."""
LEAST_RUNS = 3
"""With fewer stored runs, it is unknown how much runs differ, and `DEFAULT_BAND` is assumed."""
DEFAULT_BAND = 0.01
"""How far the same code is assumed to differ from itself where too little was measured to know it. It may well differ
by more, so no error rate is claimed then."""
SHOWN_TO_PEOPLE = 0.025
"""One-sided error of each end of a 95 % interval."""

CACHED = 4096

Bounds = Callable[[float], Interval | None]
"""From a one-sided level to the bounds on both sides, each at this level; None if there are too few values."""


@dataclass(frozen=True, slots=True)
class Look:
    """A look at what was measured so far."""

    counts: tuple[int, ...]
    """The numbers of starts at all looks up to this one."""
    most_starts: int
    """The largest number of starts."""
    final: bool = False
    """Whether no more starts can come."""
    false_alarms: float = FALSE_ALARMS
    """One-sided error of each claim that something became slower or faster, over all looks."""

    def level(self, error: float) -> float:
        """The one-sided significance level of this look if `error` is that of all looks together."""
        if self.counts[-1] < LEAST_STARTS:
            return error  # too few to measure more after a look, so this is the only one
        return levels(self.counts, max(self.most_starts, self.counts[-1]), error, final=self.final)[-1]


ASSUMING = Look((1,), 1, final=True, false_alarms=0.05)
"""Where a band is assumed, so that no error rate is claimed: usual levels."""


def change(starts: Sequence[Pairs], look: Look) -> Change:
    """The change over several starts of fresh processes; `starts` has the pairs of each."""
    measured = [pairs for pairs in starts if pairs.before]
    logs = [_logs(pairs) for pairs in measured]
    differences = [_differences(pairs) for pairs in measured]
    few = len(measured) < LEAST_STARTS
    band = DEFAULT_BAND if few else 0.0
    ratio = _of_starts(logs, look, math.log1p(band)) if all(logs) else None
    components, within = _noise(logs) if ratio else (None, None)
    between = None if few or components is None else components
    return Change(
        starts=len(measured),
        pairs=sum(len(pairs.before) for pairs in measured),
        clips=len(set(chain.from_iterable(pairs.clips for pairs in measured))),
        ratio=exponential(ratio) if ratio else None,
        difference_ms=_of_starts(differences, look, band * _typical_ms(measured)),
        between_sd=math.sqrt(between.between) if between else None,
        between_sd_95=between.between_deviation if between else None,
        within_sd=within,
        band=band,
    )


def change_since(runs: Sequence[Pairs], look: Look) -> Change:
    """The change of one run against stored `runs` at other times, clip by clip.

    The unit is the run: how much one differs from the next is seen in how far the stored ones are apart, and the new
    one differs from their mean by as much, so its bounds are those of a new value (a prediction interval). One stored
    run cannot show how much runs differ: then a band is assumed.
    """
    measured = [pairs for pairs in runs if pairs.before]
    logs = [_logs(pairs) for pairs in measured]
    band = DEFAULT_BAND if len(measured) < LEAST_RUNS else 0.0
    ratio = _of_runs(logs, look, math.log1p(band)) if all(logs) else None
    return Change(
        starts=len(measured),
        pairs=sum(len(pairs.before) for pairs in measured),
        clips=len(set(chain.from_iterable(pairs.clips for pairs in measured))),
        ratio=exponential(ratio) if ratio else None,
        difference_ms=_of_runs([_differences(pairs) for pairs in measured], look, band * _typical_ms(measured)),
        between_sd=runs_sd(measured),
        band=band,
        unit="run",
    )


def runs_sd(runs: Sequence[Pairs]) -> float | None:
    """How much stored runs differ, each compared with the same other run: a standard deviation, as a share.

    None with fewer than `LEAST_RUNS`, or if a value is not positive.
    """
    logs = [_logs(pairs) for pairs in runs if pairs.before]
    return stdev(map(shift, logs)) if len(logs) >= LEAST_RUNS and all(logs) else None


def spread(value: float, bounds: Bounds, look: Look, margin: float = 0.0) -> Spread | None:
    """An estimate with the bounds that a look makes, widened by `margin`; None where there is too little for them."""
    shown, ruled_out, people = (bounds(look.level(error)) for error in (look.false_alarms, MISSED, SHOWN_TO_PEOPLE))
    if shown is None or ruled_out is None or people is None:
        return None
    return Spread(value, _wider(people, margin), _wider(shown, margin), ruled_out.high + margin)


def exponential(logs: Spread) -> Spread:
    """A ratio, from a log ratio."""
    return Spread(math.exp(logs.value), _exp(logs.interval_95), _exp(logs.shown), math.exp(logs.ruled_out))


def _of_starts(starts: Sequence[Sequence[float]], look: Look, margin: float) -> Spread | None:
    """The mean over starts; over all pairs, where a margin is assumed because there are few starts."""
    if not starts:
        return None
    if margin:
        every = list(chain.from_iterable(starts))
        return spread(shift(every), lambda level: shift_interval(every, 1 - 2 * level), ASSUMING, margin)
    values = [_value(each) for each in starts]
    return spread(sum(values) / len(values), lambda level: t_bounds(values, level), look)


def _of_runs(runs: Sequence[Sequence[float]], look: Look, margin: float) -> Spread | None:
    """The mean over stored runs, with the bounds of one more run; with few and so a margin, over the clips of all."""
    if margin or not runs:
        return _of_starts(runs, look, margin)
    values = [shift(each) for each in runs]
    mean, wider = sum(values) / len(values), math.sqrt(len(values) + 1)

    def bounds(level: float) -> Interval | None:
        found = t_bounds(values, level)
        return found and Interval(mean - (mean - found.low) * wider, mean + (found.high - mean) * wider, found.level)

    return spread(mean, bounds, look)


@lru_cache(maxsize=CACHED)
def _located(pairs: tuple[float, ...]) -> Location:
    """The value of a start, and how well it is known; needed again after every further one."""
    return location(pairs)


def _value(pairs: Sequence[float]) -> float:
    return _located(tuple(pairs)).value if len(pairs) > 1 else pairs[0]


def _noise(logs: Sequence[Sequence[float]]) -> tuple[Components | None, float | None]:
    """How much pairs of processes differ, and the standard deviation of turn pairs of the same processes, if known."""
    units = [_located(tuple(each)) for each in logs if len(each) > 1]
    components = variance_components(units)
    within = math.sqrt(sum(unit.variance * unit.n for unit in units) / len(units)) if units else None
    return components, within


def _logs(pairs: Pairs) -> list[float]:
    """Log ratios; none if a value is not positive."""
    if min(*pairs.before, *pairs.after) <= 0:
        return []
    return [math.log(after / before) for before, after in zip(pairs.before, pairs.after, strict=True)]


def _differences(pairs: Pairs) -> list[float]:
    return [after - before for before, after in zip(pairs.before, pairs.after, strict=True)]


def _typical_ms(starts: Sequence[Pairs]) -> float:
    values = list(chain.from_iterable(pairs.before for pairs in starts))
    return abs(median(values)) if values else 0.0


def _wider(interval: Interval, margin: float) -> Interval:
    return Interval(interval.low - margin, interval.high + margin, interval.level)


def _exp(interval: Interval) -> Interval:
    return Interval(math.exp(interval.low), math.exp(interval.high), interval.level)
