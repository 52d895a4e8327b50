"""Numbers as people read them, the same in the terminal and in the report."""

from __future__ import annotations

import math

from firstpacket.bench.compare.words import amount, number
from firstpacket.bench.stats.bootstrap import MIN_CLUSTERS, Estimate
from firstpacket.bench.stats.quantiles import Quantile
from firstpacket.bench.summary.contents import Unit

NONE = "-"


def valued(value: float | None, unit: Unit) -> str:
    """A value with its unit, or a dash."""
    return NONE if value is None else amount(value, unit)


def interval(estimate: Estimate | None, unit: Unit) -> str:
    """The interval, or why there is none: `398 to 430`, `no interval: 3 clips < 6`."""
    if estimate is None:
        return NONE
    if estimate.interval is None:
        return f"no interval: {estimate.clusters} {'clip' if estimate.clusters == 1 else 'clips'} < {MIN_CLUSTERS}"
    return f"{number(estimate.interval.low, unit)} to {number(estimate.interval.high, unit)}"


def estimated(estimate: Estimate | None, unit: Unit) -> str:
    """An estimate with its interval, briefly: `412 ms [398, 430]`, or why there is none: `412 ms [5 clips < 6]`."""
    if estimate is None:
        return NONE
    span = interval(estimate, unit).replace(" to ", ", ").removeprefix("no interval: ")
    return f"{amount(estimate.value, unit)} [{span}]"


def percentile(quantile: Quantile, unit: Unit) -> str:
    """A percentile, or what it would need: `n/a (n=50 < 662)`."""
    if quantile.value is None:
        return f"n/a ({quantile.shortfall})"
    return "infinite" if math.isinf(quantile.value) else amount(quantile.value, unit)
