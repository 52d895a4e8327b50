"""The A/A band: how much the same code differs from itself between two runs on one machine.

Two processes of one program differ by their memory layout (Mytkowicz et al., 2009, ASPLOS), and a machine changes from
day to day. Turns within one run do not show this variation, so their intervals are too narrow to compare two runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from firstpacket.bench.compare.comparison import Comparison
from firstpacket.bench.stats.bootstrap import Estimate, Interval
from firstpacket.bench.stats.quantiles import median


def widened(found: Comparison, before: Sequence[float], band: float | None) -> Comparison:
    """The comparison with intervals widened by `band`, a share (0.02 is 2 %); unchanged if it is None.

    Only intervals of times are widened.
    The ratio's ends are divided and multiplied by 1 + band; the difference's ends are moved by that share of the
    median of `before`, the values of the first side. Raises `ValueError` for a negative band.
    """
    if band is None:
        return found
    if band < 0:
        raise ValueError(f"A band is a share of at least 0, not {band}.")
    if found.unit != "ms" and not found.metric.startswith("rtf"):
        return found
    margin = band * abs(median(before)) if len(before) else 0.0
    difference = _with_ends(found.difference, lambda low, high: (low - margin, high + margin))
    ratio = _with_ends(found.ratio, lambda low, high: (low / (1 + band), high * (1 + band)))
    return replace(found, difference=difference, ratio=ratio, band=band)


def _with_ends(estimate: Estimate | None, move: Callable[[float, float], tuple[float, float]]) -> Estimate | None:
    if estimate is None or estimate.interval is None:
        return estimate
    interval = estimate.interval
    return replace(estimate, interval=Interval(*move(interval.low, interval.high), interval.level))
