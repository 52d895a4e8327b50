"""The figures that CI services track (times until an answer, in ms, smaller is better), in two formats.

These are Bencher's metric format, and `customSmallerIsBetter` of github-action-benchmark.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from firstpacket.bench.compare.comparable import require_valid
from firstpacket.bench.format import counted
from firstpacket.bench.metrics.definitions import TURN_METRICS
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.bootstrap import Interval
from firstpacket.bench.summary.contents import Figure, Summary
from firstpacket.bench.summary.summarise import summarise


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


def bencher(run: Run) -> str:
    """Benchmark (label) → measure → {value, lower_value, upper_value}, in ms.

    Measures are `METRIC_STATISTIC_ms`; bounds are the median's 95 % interval.

    Raises `InvalidRun` for a run that must not be compared, and `RunError` like `summarise`.
    """
    require_valid(run)
    found: dict[str, dict[str, dict[str, float]]] = {}
    for score in scores(summarise(run)):
        metric = {"value": score.value}
        if score.interval is not None:
            metric |= {"lower_value": score.interval.low, "upper_value": score.interval.high}
        found.setdefault(score.label, {})[f"{score.figure.metric}_{score.statistic}_ms"] = metric
    return json.dumps(found, indent=1, allow_nan=False) + "\n"


def github_action_benchmark(run: Run) -> str:
    """An array of {name, unit, value, range, extra}: one entry per system, metric and statistic.

    Raises `InvalidRun` for a run that must not be compared, and `RunError` like `summarise`.
    """
    require_valid(run)
    summary = summarise(run)
    return json.dumps([_entry(score, summary) for score in scores(summary)], indent=1, allow_nan=False) + "\n"


def _entry(score: Score, summary: Summary) -> dict[str, str | float]:
    figure = score.figure
    entry: dict[str, str | float] = {
        "name": f"{score.label}: {figure.metric} {score.statistic}",
        "unit": "ms",
        "value": score.value,
        "extra": f"{counted(figure.n, 'turn')}, {figure.n_missing} without; corpus {summary.corpus}, "
        f"input {summary.input}, run {summary.run}",
    }
    if score.interval is not None:
        entry["range"] = f"{score.interval.low:.3f} to {score.interval.high:.3f} (95 % CI)"
    return entry
