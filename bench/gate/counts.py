"""Verdicts on counts, exactly, from the binomial distribution: turns over a ceiling, turns that no longer answer."""

from __future__ import annotations

from scipy.special import bdtr, bdtrc

from firstpacket.bench.gate.verdict import Verdict

SHOWN = 0.05
"""Chance, at most, of claiming too many where there are not."""
RULED_OUT = 0.025
"""Chance, at most, of passing where there are too many."""
LOST = 0.01
"""Chance, at most, of claiming that answers were lost where they are lost to chance alike on either side."""


def over_ceiling(late: int, turns: int, q: float) -> Verdict:
    """Whether the `q`-quantile lies over a ceiling that `late` of `turns` turns exceeded (unanswered ones among them).

    It does if a turn is late with a probability over 1 - q; bounds of Clopper and Pearson (1934, Biometrika 26).
    """
    allowed = 1 - q
    if turns and bdtrc(late - 1, turns, allowed) < SHOWN:
        return "regressed"
    if turns and bdtr(late, turns, allowed) < RULED_OUT:
        return "same"
    return "inconclusive"


def turns_needed(late: int, q: float) -> int:
    """The fewest turns of which so many may be late for the quantile to be under the ceiling."""
    turns = late + 1
    while bdtr(late, turns, 1 - q) >= RULED_OUT:
        turns += max(1, turns // 50)
    while bdtr(late, turns - 1, 1 - q) < RULED_OUT:
        turns -= 1
    return turns


def answers_lost(only_baseline: int, only_candidate: int) -> Verdict:
    """Whether answers went missing, from the pairs of which only one side answered (McNemar 1947, exact).

    `same` says that no such thing is shown, not that it is ruled out.
    """
    differing = only_baseline + only_candidate
    lost = bool(differing) and bdtrc(only_baseline - 1, differing, 0.5) < LOST
    return "regressed" if lost else "same"
