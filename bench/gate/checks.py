"""Checks limits against what was measured so far.

A check whose verdict is `inconclusive` is measured further, as long as there is time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from firstpacket.bench.compare.pairs import Pairs
from firstpacket.bench.format import amount, counted, with_sign
from firstpacket.bench.gate.change import MISSED, Look
from firstpacket.bench.gate.counts import answers_dropped, over_ceiling, turns_needed
from firstpacket.bench.gate.decision import Change, Rule, Spread, Verdict, decide
from firstpacket.bench.gate.limits import DROPPED_ANSWERS, QUANTILES, Limit
from firstpacket.bench.gate.result import Check

ANSWERS = Limit(DROPPED_ANSWERS)
"""Always checked, for every system: one that no longer answers is worse than a slow one."""


def check_change(
    label: str, limit: Limit, change: Change, resolution: float, dropped: dict[str, int], cpu: Change | None = None
) -> Check:
    """Check a limit on a change; `cpu` is that of the CPU time, which is reported beside it."""
    verdict = decide(change, Rule(limit.max_regression, resolution, limit.floor_ms))
    reason = _sentence(change)
    if change.difference_ms is None and dropped:
        reason += f"; left out: {', '.join(f'{count} ({why})' for why, count in dropped.items())}"
    if cpu is not None and cpu.ratio is not None:
        reason += f"; CPU time {_share(cpu.ratio)}"
    return Check(label, limit, verdict or "inconclusive", reason, change.starts, change, dropped, cpu)


def check_ceiling(label: str, limit: Limit, values_ms: Sequence[float], unanswered: int, look: Look) -> Check:
    """Check a ceiling, over the candidate's turns; an unanswered turn exceeds any ceiling."""
    assert limit.ceiling_ms is not None
    q, missed = QUANTILES[limit.statistic], look.level(MISSED)
    late, turns = sum(value > limit.ceiling_ms for value in values_ms) + unanswered, len(values_ms) + unanswered
    verdict = over_ceiling(late, turns, q, look.level(look.false_alarms), missed)
    reason = f"{late} of {counted(turns, 'turn')} took over {limit.ceiling_ms:g} ms, {100 * (1 - q):g} % may"
    if unanswered:
        reason += f"; {unanswered} of them were not answered"
    if verdict == "inconclusive" and late <= turns * (1 - q):
        reason += f"; at least {turns_needed(late, q, missed)} turns are needed to show it"
    return Check(label, limit, verdict, reason, look.counts[-1])


def check_answers(label: str, starts: Sequence[Pairs], look: Look) -> Check:
    """Check that the candidate still answers where the baseline does."""
    before, after = sum(each.only_before for each in starts), sum(each.only_after for each in starts)
    reason = f"{counted(before, 'pair')} answered only by the baseline, {after} only by the candidate"
    return Check(label, ANSWERS, answers_dropped(before, after, look.level(look.false_alarms)), reason, look.counts[-1])


def refused(label: str, verdict: Verdict, reason: str) -> Check:
    """A check that could not be made: there is no baseline, or it is not comparable."""
    return Check(label, Limit(), verdict, reason)


def dropped_pairs(starts: Sequence[Pairs]) -> dict[str, int]:
    """Pairs that could not be formed, by reason."""
    dropped = Counter[str]()
    for each in starts:
        dropped.update(each.dropped)
    return dict(sorted(dropped.items()))


def _sentence(change: Change) -> str:
    basis = f"{counted(change.pairs, 'pair')} on {counted(change.clips, 'clip')} {_units(change)}"
    if change.difference_ms is None:
        return f"too few pairs: {basis}"
    text = "{} ({} to {})".format(*(with_sign(each, "ms") for each in _ends(change.difference_ms)))
    if change.ratio is not None:
        text = f"{_share(change.ratio)}, {text}"
    return f"{text}, {basis}"


def _units(change: Change) -> str:
    """The starts or stored runs that a change is computed from, and how much they differ or what is assumed."""
    assumed = f"so {amount(change.band, 'share')} is assumed, and no error rate is claimed"
    if change.unit == "start":
        text = f"in {counted(change.starts, 'start')}"
        return f"{text}; too few starts to tell how much processes differ, {assumed}" if change.band else text
    if change.starts == 1:
        return f"against one stored run: how much runs differ is unknown, {assumed}"
    text = f"against {counted(change.starts, 'stored run')}"
    if change.band:
        return f"{text}: too few to tell how much runs differ, {assumed}"
    if change.between_sd is None:
        return text
    return f"{text}, which differ by {amount(change.between_sd, 'share')} (standard deviation)"


def _share(ratio: Spread) -> str:
    value, low, high = (with_sign(each - 1, "share") for each in _ends(ratio))
    return f"{value} (95 % CI {low} to {high})"


def _ends(spread: Spread) -> tuple[float, float, float]:
    """Its value, and the ends of its 95 % interval."""
    return spread.value, spread.interval_95.low, spread.interval_95.high
