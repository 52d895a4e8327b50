"""Whether a system is faster when another one has just had the same clip: through a shared server or cache.

The systems take turns on a clip in random order, so those that come first and those that come later differ in nothing
else. The test is a two-sided permutation test on ranks within clips (van Elteren, 1960), or over all turns where no
clip has turns of both kinds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from firstpacket.bench.contract import computed
from firstpacket.bench.metrics.latency import comparable_ms
from firstpacket.bench.metrics.levels import levelled
from firstpacket.bench.record.schema import PairKey, Turn
from firstpacket.bench.stats.bootstrap import Estimate
from firstpacket.bench.stats.contrast import median_contrast
from firstpacket.bench.stats.permutation import stratified_test

ALPHA = 0.01
PERMUTATIONS = 1_999
MAX_TURNS = 1_000
"""Of either kind; more take long, and tell little more."""
NOTABLE = 0.05
"""Differences below this share of the latency are negligible."""


@dataclass(frozen=True, slots=True)
class OrderEffect:
    """First packets, ms: turns after another system's turn on the same clip in the same block, minus those before."""

    later: Estimate
    first_ms: float
    """Median of the turns that came first."""
    p: float

    @computed
    def notable(self) -> bool:
        """Whether it is neither chance nor negligible."""
        bounds = self.later.interval
        shown = bounds is not None and (bounds.low > 0 or bounds.high < 0)
        return shown and self.p <= ALPHA and abs(self.later.value) > NOTABLE * self.first_ms


Timed = Sequence[tuple[str, float]]
"""Turns by clip, with the ms to their first packet."""


def order_effect(turns: Sequence[Turn], label: str) -> OrderEffect | None:
    """Of one system among all turns of a run, in the order of the record. None if it always came first, or never."""
    first, later = _by_order(turns, label)
    if not (first and later):
        return None
    both = [*first, *later]
    latencies, is_later = np.array([ms for _, ms in both]), np.arange(len(both)) >= len(first)
    difference = median_contrast(*levelled(latencies, is_later, [clip for clip, _ in both]))
    return OrderEffect(difference, median(ms for _, ms in first), _chance(first, later))


def _by_order(turns: Sequence[Turn], label: str) -> tuple[Timed, Timed]:
    """The turns that came first on their clip in their block, and the others."""
    opened: dict[PairKey, str] = {}
    found: tuple[list[tuple[str, float]], list[tuple[str, float]]] = [], []
    for turn in turns:
        if not turn.is_measured:
            continue
        is_later = opened.setdefault(turn.pair_key, turn.label) != label
        if turn.label == label and (ms := comparable_ms(turn)) is not None:
            found[is_later].append((turn.utterance, ms))
    return found[0][:MAX_TURNS], found[1][:MAX_TURNS]


def _chance(first: Timed, later: Timed) -> float:
    """The probability of groups as far apart, if the order has no effect."""
    by_clip = bool({clip for clip, _ in first} & {clip for clip, _ in later})
    strata = ([clip if by_clip else "" for clip, _ in side] for side in (first, later))
    return stratified_test([ms for _, ms in first], [ms for _, ms in later], *strata, permutations=PERMUTATIONS)
