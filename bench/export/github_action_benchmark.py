"""A run as `customSmallerIsBetter` of github-action-benchmark: an array of {name, unit, value, range, extra}, in ms."""

from __future__ import annotations

import json

from firstpacket.bench.compare.comparable import require_valid
from firstpacket.bench.export.ci_metrics import Score, scores
from firstpacket.bench.record.store import Run
from firstpacket.bench.summary.contents import Summary
from firstpacket.bench.summary.summarise import summarise


def github_action_benchmark(run: Run) -> str:
    """One entry per system, metric and statistic.

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
        "extra": f"{figure.n} turns, {figure.n_missing} without; corpus {summary.corpus}, input {summary.input}, "
        f"run {summary.run}",
    }
    if score.interval is not None:
        entry["range"] = f"{score.interval.low:.3f} to {score.interval.high:.3f} (95 % CI)"
    return entry
