"""Which turns come first: the worst of every system, its median one, then the others in random order (seeded)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from random import Random

from firstpacket.bench.metrics.definitions import HEADLINE
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.quantiles import median
from firstpacket.bench.summary.values import definition, shown_value

WORST = 10
"""Number of a system's worst turns whose details are always included."""


def ranks(run: Run) -> dict[int, int]:
    """By turn number: 1 for a system's worst measured turn, and so on; turns of other phases have no rank.

    The worst are those without an answer, in the order of the plan, then the slowest to the first packet. A turn that
    was interrupted with the run says nothing about its system, and comes last.
    """
    found: dict[int, int] = {}
    for plan in run.manifest.labels:
        ordered = sorted(run.measured(plan.label), key=lambda turn: (-_badness(turn), turn.turn))
        found |= {turn.turn: rank for rank, turn in enumerate(ordered, start=1)}
    return found


def median_turn(run: Run, label: str) -> Turn | None:
    """The measured turn whose first packet is closest to the median, the earliest of several; None if there is none."""
    turns = [turn for turn in run.measured(label) if HEADLINE in turn.figures]
    if not turns:
        return None
    middle = median([turn.figures[HEADLINE] for turn in turns])
    return min(turns, key=lambda turn: (abs(turn.figures[HEADLINE] - middle), turn.turn))


def in_order_of_rank(run: Run, ranked: Mapping[int, int]) -> list[Turn]:
    """Every turn once: the worst of each system, the second worst of each, and so on; then those without a rank."""
    place = {plan.label: position for position, plan in enumerate(run.manifest.labels)}
    return sorted(run.turns, key=lambda turn: (ranked.get(turn.turn, math.inf), place[turn.label], turn.turn))


def in_order_of_interest(run: Run, ranked: Mapping[int, int]) -> list[Turn]:
    """Every turn once: the worst `WORST` of each system, each median one, then all others in random order (seeded)."""
    ordered = in_order_of_rank(run, ranked)
    worst = [turn for turn in ordered if ranked.get(turn.turn, math.inf) <= WORST]
    middle = [turn for plan in run.manifest.labels if (turn := median_turn(run, plan.label)) is not None]
    others = list(ordered)
    Random(run.manifest.options.seed).shuffle(others)
    return list({turn.turn: turn for turn in (*worst, *middle, *others)}.values())


def _badness(turn: Turn) -> float:
    if turn.outcome == "interrupted":
        return -math.inf
    latency = shown_value(turn, definition(HEADLINE))
    return math.inf if latency is None else latency
