"""From pairs of values to a change: how much slower or faster, with the intervals that verdicts are based on.

The corpus is fixed and the same on both sides, so the pairs are random and the clips are not: an interval tells how
certain the change is on these clips.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from firstpacket.bench.gate.verdict import RULED_OUT, SHOWN, Change, Spread
from firstpacket.bench.stats.bootstrap import Interval
from firstpacket.bench.stats.hodges_lehmann import shift, shift_interval


def change(before: Sequence[float], after: Sequence[float], clips: Sequence[str], widened: float = 0.0) -> Change:
    """The shift of `after` (the candidate) against `before`, pair by pair, both in ms.

    Intervals are widened on both sides by `widened`, the share by which two runs of the same code at different times
    may differ. Raises `ValueError` when lengths differ.
    """
    pairs = list(zip(before, after, strict=True))
    differences = [b - a for a, b in pairs]
    positive = bool(pairs) and min(*before, *after) > 0
    logs = _spread([math.log(b / a) for a, b in pairs], math.log1p(widened)) if positive else None
    typical = sorted(before)[len(before) // 2] if positive else 0.0
    return Change(
        pairs=len(pairs),
        clips=len(set(clips)),
        ratio=_exponential(logs) if logs else None,
        difference_ms=_spread(differences, widened * typical),
    )


def _spread(values: Sequence[float], margin: float) -> Spread | None:
    if not values:
        return None
    interval_90, interval_95 = (shift_interval(values, level) for level in (SHOWN, RULED_OUT))
    if interval_90 is None or interval_95 is None:
        return None
    return Spread(shift(values), _wider(interval_90, margin), _wider(interval_95, margin))


def _wider(interval: Interval, margin: float) -> Interval:
    return Interval(interval.low - margin, interval.high + margin, interval.level)


def _exponential(logs: Spread) -> Spread:
    interval_90, interval_95 = (
        Interval(math.exp(each.low), math.exp(each.high), each.level) for each in (logs.interval_90, logs.interval_95)
    )
    return Spread(math.exp(logs.value), interval_90, interval_95)
