"""Whether later turns on a clip are faster than the first: because something on the way remembers it, such as a cache.

Early turns may be slower for other reasons, too, of which a short warm-up is the most common; the record alone cannot
tell these apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from firstpacket.bench.contract import computed
from firstpacket.bench.metrics.latency import comparable_ms
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.stats.bootstrap import Estimate
from firstpacket.bench.stats.paired import paired_ratio

NOTABLE = 0.05
"""Ratios within this share of 1 are negligible."""


@dataclass(frozen=True, slots=True)
class SameClip:
    """First packets: later turns on a clip over the first turn on it, paired by clip (the median of the later ones)."""

    ratio: Estimate

    @computed
    def notable(self) -> bool:
        """Whether later turns are faster, by more than chance and more than negligibly."""
        return self.ratio.interval is not None and self.ratio.interval.high < 1 - NOTABLE


def same_clip(turns: Sequence[Turn]) -> SameClip | None:
    """Of all turns of a system, in the order of the record. None if it was measured on no clip twice.

    Clips that it heard before the measured turns, as during its warm-up, take no part.
    """
    measured: dict[str, list[float | None]] = defaultdict(list)
    heard = set()
    for turn in turns:
        if turn.is_measured:
            measured[turn.utterance].append(comparable_ms(turn))
        elif turn.utterance not in measured:
            heard.add(turn.utterance)
    pairs: dict[str, tuple[float, float]] = {}
    for clip, (first, *others) in measured.items():
        later = [value for value in others if value is not None]
        if clip not in heard and first is not None and later:
            pairs[clip] = first, median(later)
    if not pairs:
        return None
    before, after = zip(*pairs.values(), strict=True)
    ratio = paired_ratio(before, after, [*pairs])
    return SameClip(ratio) if ratio is not None else None
