"""A history as plain JSON values: what `bench history --json` prints (docs/history.md)."""

from __future__ import annotations

from typing import Any

from firstpacket.bench.history.changes import Change
from firstpacket.bench.history.history import History
from firstpacket.bench.history.series import Point, Series
from firstpacket.bench.summary.values import shown_unit

SCHEMA = 1


def history_json(found: History) -> dict[str, Any]:
    """Values are in `unit`; absent numbers are null; `not_looked` says why no change points were looked for."""
    return {
        "schema": SCHEMA,
        "kind": "firstpacket.history",
        "metric": found.metric.name,
        "unit": shown_unit(found.metric),
        "not_looked": found.not_looked or None,
        "series": [_series(each, moved) for each, moved in zip(found.series, found.changes, strict=True)],
        "skipped": [{"folder": each.name, "reason": each.reason} for each in found.skipped],
    }


def _series(each: Series, moved: tuple[Change, ...]) -> dict[str, Any]:
    return {
        "label": each.label,
        "machine": each.machine,
        "apart": list(each.apart),
        "points": [_point(point) for point in each.points],
        "changes": [
            {
                "run": change.point.run,
                "date": change.point.when.isoformat(),
                "before": change.before,
                "after": change.after,
                "ratio": change.ratio,
            }
            for change in moved
        ],
    }


def _point(point: Point) -> dict[str, Any]:
    interval = point.median.interval
    return {
        "run": point.run,
        "folder": point.folder,
        "date": point.when.isoformat(),
        "p50": point.median.value,
        "p50_low": interval.low if interval else None,
        "p50_high": interval.high if interval else None,
        "n": point.median.n,
        "unanswered": point.unanswered,
    }
