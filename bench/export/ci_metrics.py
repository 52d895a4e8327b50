"""The figures that CI services track: times until an answer, smaller is better."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from firstpacket.bench.metrics.definitions import TURN_METRICS
from firstpacket.bench.stats.bootstrap import Interval
from firstpacket.bench.summary.contents import Figure, Summary


@dataclass(frozen=True, slots=True)
class Score:
    """One statistic of one metric of one system, ms; only the median has an interval."""

    label: str
    figure: Figure
    statistic: str
    value: float
    interval: Interval | None


def scores(summary: Summary) -> Iterator[Score]:
    """The median and all percentiles that the turns support, of each tracked metric of each system."""
    for label in summary.labels:
        followed = (known.name for known in TURN_METRICS if known.followed and known.name in label.figures)
        for figure in map(label.figures.__getitem__, followed):
            if figure.p50 is not None:
                yield Score(label.label, figure, "p50", figure.p50.value, figure.p50.interval)
            for name, percentile in figure.percentiles.items():
                if percentile.value is not None:
                    yield Score(label.label, figure, name, percentile.value, None)
