"""Whether the system that ran just before makes a system slower or faster: through caches, clocks or heat.

The plan shuffles the systems at every position, so the predecessor is random, and the randomisation can be repeated:
under the null hypothesis, a turn's latency does not depend on its predecessor, and only the order differs. The test
redraws the order as the plan does, and counts how often the groups by predecessor differ at least as much. Drift, clips
and stalls stay in place, so none of them can look like carry-over (a randomisation test: Fisher, 1935; Edgington and
Onghena, 2007, chapter 1).

The statistic is the between-group sum of squares of ranks of Kruskal and Wallis (1952), of each turn's latency minus
the median of its system on its clip (or of all its turns, if every clip is used once).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import numpy as np
import numpy.typing as npt

from firstpacket.bench.contract import Keyed, computed
from firstpacket.bench.metrics.latency import comparable_ms
from firstpacket.bench.metrics.levels import levelled
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.stats.bootstrap import Estimate
from firstpacket.bench.stats.contrast import median_contrast
from firstpacket.bench.stats.holm import holm
from firstpacket.bench.stats.permutation import average_ranks

ALPHA = 0.01
"""The probability that a run without carry-over is reported to have one, for any system."""
REDRAWS = 1_999
MIN_TURNS = 12
"""The number of a system's turns below which nothing is tested."""
MAX_POSITIONS = 2_000
"""Only this many positions are used: enough for effects of a few per cent, and fast."""
_CELLS = 250_000
_TIES = 1e-9

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class After:
    """First packet latency after one predecessor minus that after all others, ms."""

    predecessor: str
    difference: Estimate


@dataclass(frozen=True, slots=True)
class CarryOver:
    """The result for one system. `adjusted_p` treats all systems of the run as one family (Holm)."""

    label: str
    n: int
    p: float
    adjusted_p: float
    after: Annotated[tuple[After, ...], Keyed("predecessor")]

    @computed
    def significant(self) -> bool:
        """Whether chance alone would rarely produce it."""
        return self.adjusted_p <= ALPHA

    @property
    def largest(self) -> After:
        """The predecessor with the largest difference."""
        return max(self.after, key=lambda each: abs(each.difference.value))


def carry_over(turns: Sequence[Turn], labels: Sequence[str]) -> tuple[CarryOver, ...]:
    """The systems with enough turns. `turns` are in recorded order, of all phases.

    A position counts if all systems ran one after another, directly after those of the previous position.
    """
    positions = _positions(turns, len(labels))
    if len(labels) < 2 or len(positions) < MIN_TURNS:
        return ()
    column_of = {label: index for index, label in enumerate(labels)}
    before = _predecessors(positions, column_of)
    clips = [sequence[0].utterance for _, sequence in positions]
    latencies = _latencies(positions, column_of)
    tested = [index for index in column_of.values() if np.isfinite(latencies[:, index]).sum() >= MIN_TURNS]
    ps = _chances(_excess(latencies[:, tested], clips), before[:, tested], _follows(positions), len(labels))
    return tuple(
        CarryOver(labels[index], int(np.isfinite(latencies[:, index]).sum()), p, adjusted, after)
        for index, p, adjusted in zip(tested, ps, holm(ps), strict=True)
        if (after := _differences(latencies[:, index], before[:, index], clips, labels))
    )


Position = tuple[Turn, tuple[Turn, ...]]
"""The previous turn, and the turns of all systems in the order in which they ran."""


def _positions(turns: Sequence[Turn], count: int) -> list[Position]:
    found: list[Position] = []
    for at in range(1, len(turns) - count + 1):
        if len(found) == MAX_POSITIONS:
            break
        last, sequence = turns[at - 1], tuple(turns[at : at + count])
        in_a_row = [turn.turn for turn in sequence] == list(range(sequence[0].turn, sequence[0].turn + count))
        if (
            in_a_row
            and (sequence[0].turn - 1) % count == 0
            and last.turn == sequence[0].turn - 1
            and {(turn.phase, turn.segment) for turn in (last, *sequence)} == {("measured", last.segment)}
            and len({turn.label for turn in sequence}) == count
        ):
            found.append((last, sequence))
    return found


def _predecessors(positions: Sequence[Position], column_of: dict[str, int]) -> Places:
    """Per position and system: the index of the previous system."""
    before = np.empty((len(positions), len(column_of)), np.intp)
    for row, (last, sequence) in enumerate(positions):
        for previous, turn in pairwise((last, *sequence)):
            before[row, column_of[turn.label]] = column_of[previous.label]
    return before


def _follows(positions: Sequence[Position]) -> npt.NDArray[np.bool_]:
    """Whether a position comes right after the one before it in the list, where its first predecessor was drawn."""
    firsts = [sequence[0].turn for _, sequence in positions]
    count = len(positions[0][1])
    return np.array([False, *(b - a == count for a, b in pairwise(firsts))])


def _latencies(positions: Sequence[Position], column_of: dict[str, int]) -> Floats:
    """Per position and label: ms to the first packet; NaN without an answer."""
    found = np.full((len(positions), len(column_of)), np.nan)
    for row, (_, sequence) in enumerate(positions):
        for turn in sequence:
            value = comparable_ms(turn)
            if value is not None:
                found[row, column_of[turn.label]] = value
    return found


def _excess(latencies: Floats, clips: Sequence[str]) -> Floats:
    """The same above what the label usually takes: on that clip, or in all, where it answered the clip once."""
    found = latencies - np.nanmedian(latencies, axis=0)
    names = np.array(clips)
    for clip in dict.fromkeys(clips):
        rows = np.flatnonzero(names == clip)
        often = np.isfinite(latencies[rows]).sum(axis=0) > 1
        for index in np.flatnonzero(often):
            found[rows, index] = latencies[rows, index] - np.nanmedian(latencies[rows, index])
    return found


def _chances(excess: Floats, before: Places, follows: npt.NDArray[np.bool_], labels: int) -> tuple[float, ...]:
    """Per tested label, a column of `excess` and `before`: the share of orders with groups as far apart.

    Of the redrawn orders and the one that was measured, so it is never 0.
    """
    columns = range(excess.shape[1])
    present = [np.isfinite(excess[:, column]) for column in columns]
    ranks = [average_ranks(excess[present[column], column]) for column in columns]
    observed = [float(_apart(before[None, present[column], column], ranks[column])[0]) for column in columns]
    rng = np.random.default_rng(0)
    extreme = [1] * len(columns)
    remaining = REDRAWS
    while remaining and columns:
        count = min(remaining, max(1, _CELLS // (len(follows) * labels)))
        drawn = _redrawn(count, follows, labels, rng)
        for column in columns:
            apart = _apart(drawn[:, present[column], column], ranks[column])
            extreme[column] += int(np.count_nonzero(apart >= observed[column] * (1 - _TIES)))
        remaining -= count
    return tuple(found / (1 + REDRAWS) for found in extreme)


def _redrawn(count: int, follows: npt.NDArray[np.bool_], labels: int, rng: np.random.Generator) -> Places:
    """Predecessors (count, positions, labels) under orders drawn anew, as `plan.measured` draws them."""
    order = np.argsort(rng.random((count, len(follows), labels)), axis=2)
    last = np.roll(order[:, :, -1], 1, axis=1)
    last[:, ~follows] = rng.integers(0, labels, (count, int((~follows).sum())))
    before = np.empty_like(order)
    np.put_along_axis(before, order, np.concatenate([last[:, :, None], order[:, :, :-1]], axis=2), axis=2)
    return before


def _apart(groups: Places, ranks: Floats) -> Floats:
    """Between-group sum of squares (draws,) of ranks (turns,) for the groups (draws, turns) they fall into."""
    draws, width = len(groups), int(groups.max()) + 1
    cells = (groups + width * np.arange(draws)[:, None]).ravel()
    sizes = np.bincount(cells, minlength=draws * width).reshape(draws, width)
    centred = np.broadcast_to(ranks - ranks.mean(), groups.shape).ravel()
    sums = np.bincount(cells, weights=centred, minlength=draws * width).reshape(draws, width)
    return np.asarray((sums**2 / np.maximum(sizes, 1)).sum(axis=1))


def _differences(latencies: Floats, before: Places, clips: Sequence[str], labels: Sequence[str]) -> tuple[After, ...]:
    found = []
    for index, label in enumerate(labels):
        values, inside, names = levelled(latencies, before == index, clips)
        if len(set(inside)) == 2:
            found.append(After(label, median_contrast(values, inside, names)))
    return tuple(found)
