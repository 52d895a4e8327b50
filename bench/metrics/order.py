"""Whether a system is faster when another one has just had the same clip: through a shared server or cache.

The systems take turns on a clip in random order, so those that come first and those that come later differ in nothing
else.
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

NOTABLE = 0.05
"""Differences below this share of the latency are negligible."""


@dataclass(frozen=True, slots=True)
class OrderEffect:
    """First packets, ms: turns after another system's turn on the same clip in the same block, minus those before."""

    later: Estimate
    first_ms: float
    """Median of the turns that came first."""

    @computed
    def notable(self) -> bool:
        """Whether it is neither chance nor negligible."""
        interval, least = self.later.interval, NOTABLE * self.first_ms
        return interval is not None and (interval.high < -least or interval.low > least)


def order_effect(turns: Sequence[Turn], label: str) -> OrderEffect | None:
    """Of one system among all turns of a run, in the order of the record. None if it always came first, or never."""
    opened: dict[PairKey, str] = {}
    values, is_later, clips = [], [], []
    for turn in turns:
        if not turn.is_measured:
            continue
        first = opened.setdefault(turn.pair_key, turn.label)
        if turn.label == label and (value := comparable_ms(turn)) is not None:
            values.append(value)
            is_later.append(first != label)
            clips.append(turn.utterance)
    if len(set(is_later)) < 2:
        return None
    level = median(value for value, later in zip(values, is_later, strict=True) if not later)
    return OrderEffect(median_contrast(*levelled(np.array(values), np.array(is_later), clips)), level)
