"""Checks limits against one or two measured rounds.

What fails in the first round is measured again, and counts as a regression only if the second round agrees and both
together show it. Otherwise a gate with many limits would report a false regression every other night.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from firstpacket.bench.compare.pairs import Pairs
from firstpacket.bench.format import counted, with_sign
from firstpacket.bench.gate.change import change
from firstpacket.bench.gate.counts import answers_dropped, over_ceiling, turns_needed
from firstpacket.bench.gate.limits import DROPPED_ANSWERS, QUANTILES, Limit
from firstpacket.bench.gate.result import Check
from firstpacket.bench.gate.verdict import LEAST_BAND, Change, Rule, Spread, Verdict, judge
from firstpacket.bench.stats.quantiles import median

ANSWERS = Limit(DROPPED_ANSWERS)
"""Always checked, for every system: one that no longer answers is worse than a slow one."""


@dataclass(frozen=True, slots=True)
class Noise:
    """How far the same code differs from itself on this machine, as a share, and how this is known."""

    band: float
    source: str
    between_runs: bool = False
    """Whether the sides were measured at different times; every interval is then widened by the band."""


def check_change(label: str, limit: Limit, rounds: Sequence[Pairs], noise: Noise, resolution: float) -> Check:
    """Check a limit on a change, over all rounds."""
    band = LEAST_BAND if noise.between_runs else noise.band  # there the intervals include the noise already
    rule = Rule(band, limit.max_regression, resolution, limit.floor_ms)
    every = _change(rounds, noise)
    verdict = judge(every, rule)
    said = _sentence(every)
    if verdict == "regressed" and len(rounds) > 1 and not _confirms(_change(rounds[-1:], noise), rule):
        verdict, said = "inconclusive", f"{said}; the last round does not confirm it"
    dropped = Counter[str]()
    for each in rounds:
        dropped.update(each.dropped)
    return Check(label, limit, verdict, said, len(rounds), every, noise.band, dict(sorted(dropped.items())))


def check_ceiling(label: str, limit: Limit, values_ms: Sequence[float], unanswered: int, rounds: int) -> Check:
    """Check a ceiling, over the candidate's turns; an unanswered turn exceeds any ceiling."""
    assert limit.ceiling_ms is not None
    q = QUANTILES[limit.statistic]
    late, turns = sum(value > limit.ceiling_ms for value in values_ms) + unanswered, len(values_ms) + unanswered
    verdict = over_ceiling(late, turns, q)
    reason = f"{late} of {counted(turns, 'turn')} took over {limit.ceiling_ms:g} ms, {100 * (1 - q):g} % may"
    if unanswered:
        reason += f"; {unanswered} of them were not answered"
    if verdict == "inconclusive" and late <= turns * (1 - q):
        reason += f"; at least {turns_needed(late, q)} turns are needed to show it"
    return Check(label, limit, verdict, reason, rounds)


def check_answers(label: str, rounds: Sequence[Pairs]) -> Check:
    """Check that the candidate still answers where the baseline does."""
    before, after = sum(each.only_before for each in rounds), sum(each.only_after for each in rounds)
    reason = f"{counted(before, 'pair')} answered only by the baseline, {after} only by the candidate"
    return Check(label, ANSWERS, answers_dropped(before, after), reason, len(rounds))


def refused(label: str, verdict: Verdict, reason: str) -> Check:
    """A check that could not be made: there is no baseline, or it is not comparable."""
    return Check(label, Limit(), verdict, reason)


def to_measure_again(checks: Sequence[Check]) -> tuple[str, ...]:
    """Labels with a check that fails after one round."""
    failing = [check.label for check in checks if check.rounds == 1 and check.verdict in ("regressed", "inconclusive")]
    return tuple(dict.fromkeys(failing))


def _change(rounds: Sequence[Pairs], noise: Noise) -> Change:
    before, after, clips = _once_a_clip(rounds) if noise.between_runs else _end_to_end(rounds)
    return change(before, after, clips, noise.band if noise.between_runs else 0.0)


def _end_to_end(rounds: Sequence[Pairs]) -> tuple[list[float], list[float], list[str]]:
    return (
        list(chain.from_iterable(each.before for each in rounds)),
        list(chain.from_iterable(each.after for each in rounds)),
        list(chain.from_iterable(each.clips for each in rounds)),
    )


def _once_a_clip(rounds: Sequence[Pairs]) -> tuple[list[float], list[float], list[str]]:
    """A saved baseline has one value per clip, and a second round of the candidate does not add another."""
    before = {clip: value for each in rounds for clip, value in zip(each.clips, each.before, strict=True)}
    after: dict[str, list[float]] = {clip: [] for clip in before}
    for each in rounds:
        for clip, value in zip(each.clips, each.after, strict=True):
            after[clip].append(value)
    return list(before.values()), [median(values) for values in after.values()], list(before)


def _confirms(last: Change, rule: Rule) -> bool:
    """Whether a round by itself points to a change that is not allowed."""
    if last.difference_ms is None:
        return False
    beyond_floor = last.difference_ms.value > rule.floor_ms
    if last.ratio is None:
        return beyond_floor
    return beyond_floor and last.ratio.value > (1 + rule.max_regression) * (1 + rule.band)


def _sentence(found: Change) -> str:
    basis = f"{counted(found.pairs, 'pair')} on {counted(found.clips, 'clip')}"
    if found.difference_ms is None:
        return f"too few pairs: {basis}"
    said = "{} ({} to {})".format(*(with_sign(each, "ms") for each in _ends(found.difference_ms)))
    if found.ratio is not None:
        value, low, high = (with_sign(each - 1, "share") for each in _ends(found.ratio))
        said = f"{value} (95 % CI {low} to {high}), {said}"
    return f"{said}, {basis}"


def _ends(spread: Spread) -> tuple[float, float, float]:
    """Its value, and the ends of its 95 % interval."""
    return spread.value, spread.interval_95.low, spread.interval_95.high
