"""Exact binomial verdicts on counts: turns over a ceiling, turns that no longer answer."""

from __future__ import annotations

from scipy.special import bdtr, bdtrc

from firstpacket.bench.gate.decision import Verdict


def over_ceiling(late: int, turns: int, q: float, false_alarms: float, missed: float) -> Verdict:
    """Whether the `q`-quantile exceeds a ceiling that `late` of `turns` turns exceeded (including unanswered ones).

    It does if a turn is late with a probability above 1 - q; bounds of Clopper and Pearson (1934, Biometrika 26).
    `false_alarms` is the largest probability of reporting a regression wrongly, `missed` that of passing although too
    many turns are late.
    """
    allowed = 1 - q
    if turns and bdtrc(late - 1, turns, allowed) < false_alarms:
        return "regressed"
    if turns and bdtr(late, turns, allowed) < missed:
        return "same"
    return "inconclusive"


def turns_needed(late: int, q: float, missed: float) -> int:
    """The smallest number of turns with `late` late ones that shows the quantile to be under the ceiling."""
    turns = late + 1
    while bdtr(late, turns, 1 - q) >= missed:
        turns += max(1, turns // 50)
    while bdtr(late, turns - 1, 1 - q) < missed:
        turns -= 1
    return turns


def answers_dropped(only_baseline: int, only_candidate: int, false_alarms: float) -> Verdict:
    """Whether answers were lost, from the pairs that only one side answered (McNemar 1947, exact).

    `false_alarms` is the largest probability of reporting lost answers if both sides lose them equally often. `same`
    means that no loss is shown, not that it is ruled out.
    """
    differing = only_baseline + only_candidate
    lost = bool(differing) and bdtrc(only_baseline - 1, differing, 0.5) < false_alarms
    return "regressed" if lost else "same"
