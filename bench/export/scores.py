"""The figures that a continuous-integration service follows: moments of an answer, smaller is better."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from firstpacket.bench.metrics.definitions import HEADLINE
from firstpacket.bench.stats.bootstrap import Interval
from firstpacket.bench.summary.contents import Figure, Summary

FOLLOWED = (
    HEADLINE,
    "response_latency",
    "gapless_first_audio",
    "asr_final_latency",
    "llm_ttft",
    "llm_first_token_latency",
)
"""Metrics that are times, in the order in which they are written."""


@dataclass(frozen=True, slots=True)
class Score:
    """One statistic of one metric of one label, ms; the interval is of the median alone."""

    label: str
    figure: Figure
    statistic: str
    value: float
    interval: Interval | None


def scores(summary: Summary) -> Iterator[Score]:
    """The median and every percentile that the turns support, of each followed metric that a label has."""
    for label in summary.labels:
        for figure in (label.figures[name] for name in FOLLOWED if name in label.figures):
            if figure.p50 is not None:
                yield Score(label.label, figure, "p50", figure.p50.value, figure.p50.interval)
            for name, percentile in figure.percentiles.items():
                if percentile.value is not None:
                    yield Score(label.label, figure, name, percentile.value, None)
