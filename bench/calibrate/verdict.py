"""From measurements to a calibration, and whether it is within the limits."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from firstpacket import __version__
from firstpacket.bench.calibrate.measure import FIGURES, Measured
from firstpacket.bench.calibration import SCHEMA, Calibration, Deviation
from firstpacket.bench.record.schema import InputMode
from firstpacket.bench.stats.quantiles import supported_quantile, values_needed
from firstpacket.bench.timing.clock import NS_PER_MS

HAND_OVER: dict[InputMode, str] = {
    "file": "hand-over of the clip (included in errors)",
    "realtime": "hand-over of the last frame",
}
OVERSLEEP = "oversleep of the script"
P99_TURNS = values_needed(0.99)


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest acceptable errors, in ms."""

    median_ms: float
    p99_ms: float

    def broken(self, deviations: Iterable[Deviation]) -> tuple[str, ...]:
        """What exceeds the limits, in words."""
        return tuple(
            f"{each.figure}: {name} {value:.3f} ms (limit {limit:g} ms)"
            for each in deviations
            for name, value, limit in (("median", each.median_ms, self.median_ms), ("p99", each.p99_ms, self.p99_ms))
            if value is not None and value > limit
        )


def finding(measured: Measured, limits: Limits) -> Calibration:
    """The calibration that is printed, saved and recorded by later runs."""
    deviations = tuple(deviation(figure, measured.errors_ns[figure]) for figure in FIGURES)
    return Calibration(
        schema=SCHEMA,
        bench=__version__,
        wall_ns=time.time_ns(),
        turns=measured.turns,
        deviations=deviations,
        event_cost_ns=measured.event_cost_ns,
        events=sum(measured.events) / len(measured.events),
        within_limits=not limits.broken(deviations),
    )


def reported_separately(measured: Measured) -> tuple[Deviation, ...]:
    """Delays reported separately: from t0 until the pipeline has the speech, and oversleep of the script."""
    heard = (deviation(name, measured.hand_over_ns.get(mode, ())) for mode, name in HAND_OVER.items())
    return *heard, deviation(OVERSLEEP, measured.oversleep_ns)


def deviation(figure: str, errors_ns: Sequence[int]) -> Deviation:
    """Median and 99th percentile of the absolute errors, in ms, if there are enough of them."""
    sizes = [abs(error_ns) / NS_PER_MS for error_ns in errors_ns]
    median, p99 = (supported_quantile(sizes, q).value for q in (0.5, 0.99))
    return Deviation(figure, len(sizes), median, p99)
