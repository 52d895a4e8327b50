"""A run in Bencher's metric format: benchmark (label) → measure → {value, lower_value, upper_value}, in ms."""

from __future__ import annotations

import json

from firstpacket.bench.compare.comparable import require_valid
from firstpacket.bench.export.ci_metrics import scores
from firstpacket.bench.record.store import Run
from firstpacket.bench.summary.summarise import summarise


def bencher(run: Run) -> str:
    """Measures are `METRIC_STATISTIC_ms`; bounds are the median's 95 % interval.

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
