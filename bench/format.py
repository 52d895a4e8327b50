"""How numbers and their units are written for people: in every table, sentence and picture."""

from __future__ import annotations

import math
from typing import Literal

from firstpacket.bench.stats.bootstrap import MIN_CLUSTERS, Estimate
from firstpacket.bench.stats.quantiles import Quantile

Unit = Literal["ms", "ratio", "count", "dB", "per_s", "J", "share", "rate", "points"]
"""A `share` and a `rate` lie between 0 and 1 and are written in per cent, a rate always with a decimal; differences of
them are written in percentage `points`."""

NONE = "-"
"""Shown for a missing number."""
SYMBOLS: dict[Unit, str] = {
    "ms": " ms",
    "dB": " dBFS",
    "per_s": "/s",
    "J": " J",
    "share": " %",
    "rate": " %",
    "points": " points",
}


def amount(value: float, unit: Unit) -> str:
    """A value with its unit: `412 ms`, `8.3 ms`, `-20.1 dBFS`, `14.2/s`, `0.412`, `61 %`."""
    return number(value, unit) + SYMBOLS.get(unit, "") if math.isfinite(value) else number(value, unit)


def number(value: float, unit: Unit) -> str:
    """As `amount`, without the unit: whole from 100 on, one decimal, below 1 two digits; ratios have three decimals.

    Less than 0.01 ms is written as 0.00.
    """
    if not math.isfinite(value):
        return "infinite"
    match unit:
        case "count" if value == int(value):
            return f"{value:.0f}"
        case "ratio":
            return f"{value:.3f}"
        case "rate" | "points":
            return f"{100 * value:.1f}"
        case "share":
            return _per_cent(value)
    if unit == "ms" and 0 < abs(value) < 0.01:
        return "0.00"  # below what the clocks tell apart from noise
    if abs(value) < 1:
        return f"{value:.2g}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}"


def with_sign(value: float, unit: Unit) -> str:
    """As `amount`, with a plus sign if it is positive."""
    return f"{'+' if value > 0 else ''}{amount(value, unit)}"


def valued(value: float | None, unit: Unit) -> str:
    """A value with its unit, or a dash."""
    return NONE if value is None else amount(value, unit)


def interval(estimate: Estimate | None, unit: Unit) -> str:
    """The interval, or why there is none: `398 to 430`, `no interval: 3 clips < 6`."""
    if estimate is None:
        return NONE
    if estimate.interval is None:
        return f"no interval: {too_few(estimate.clusters)}"
    return f"{number(estimate.interval.low, unit)} to {number(estimate.interval.high, unit)}"


def estimated(estimate: Estimate | None, unit: Unit, *, signed: bool = False) -> str:
    """An estimate with its interval, briefly: `412 ms [398, 430]`, or why there is none: `412 ms [5 clips < 6]`."""
    if estimate is None:
        return NONE
    span = interval(estimate, unit).replace(" to ", ", ").removeprefix("no interval: ")
    write = with_sign if signed else amount
    return f"{write(estimate.value, unit)} [{span}]"


def percentile(quantile: Quantile, unit: Unit) -> str:
    """A percentile, or how many turns it would need: `n/a (n=50 < 662)`."""
    return f"n/a ({quantile.shortfall})" if quantile.value is None else amount(quantile.value, unit)


def too_few(clips: int, needed: int = MIN_CLUSTERS) -> str:
    """Why there is no interval: `3 clips < 6`."""
    return f"{counted(clips, 'clip')} < {needed}"


def counted(n: int, what: str) -> str:
    """`1 clip`, `3 clips`."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _per_cent(share: float) -> str:
    """One decimal below 10 %, unless that is none."""
    if abs(share) < 0.0005:
        return "0"
    return f"{100 * share:.0f}" if abs(share) >= 0.0995 else f"{100 * share:.1f}"
