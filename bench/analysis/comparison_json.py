"""A comparison as plain JSON values: what `bench compare --json` prints and CI reads.

A contract (`"schema": 1`, docs/compare.md); absent numbers null. A value with its interval is an object of
{value, low, high, level, n, clips}, where low and high are null if there are too few clips:

    schema kind time_unit
    comparisons[]    base other pairing dummy matched band overlooked[]
      .metrics[]     metric title unit finding pairs clips difference ratio lost {REASON: n} sentence; the first is the
                     one that was asked for
      .contributions statistic pairs total roles {ROLE: value} shares {ROLE: share of the total} lost {REASON: n}; "" is
                     what no stage accounts for; no shares where the total may be nothing
    ladder           metric title unit labels[] statistic pairs whole steps[] lost {REASON: n}, or null
      .steps[]       base other changed difference share
"""

from __future__ import annotations

from typing import Any

from firstpacket.bench.compare.comparison import Comparison
from firstpacket.bench.compare.findings import Findings, Report
from firstpacket.bench.compare.ladder import Ladder
from firstpacket.bench.compare.roles import Contributions
from firstpacket.bench.compare.words import sentence
from firstpacket.bench.stats.binomial import Share
from firstpacket.bench.stats.bootstrap import Estimate

SCHEMA = 1


def comparison_json(report: Report) -> dict[str, Any]:
    """Plain JSON values, as this module's docstring lays down."""
    return {
        "schema": SCHEMA,
        "kind": "firstpacket.comparison",
        "time_unit": "ms",
        "comparisons": [_findings(each) for each in report.findings],
        "ladder": _ladder(report.ladder) if report.ladder else None,
    }


def _findings(found: Findings) -> dict[str, Any]:
    headline = found.headline
    return {
        "base": headline.base,
        "other": headline.other,
        "pairing": headline.pairing,
        "dummy": headline.dummy,
        "matched": headline.matched,
        "band": headline.band,
        "overlooked": list(headline.overlooked),
        "metrics": [_metric(each) for each in found.metrics],
        "contributions": _contributions(found.contributions),
    }


def _metric(found: Comparison) -> dict[str, Any]:
    return {
        "metric": found.metric,
        "title": found.title,
        "unit": found.unit,
        "finding": found.finding,
        "pairs": found.pairs,
        "clips": found.clips,
        "difference": estimate_json(found.difference),
        "ratio": estimate_json(found.ratio),
        "lost": found.lost,
        "sentence": sentence(found),
    }


def _contributions(found: Contributions) -> dict[str, Any]:
    return {
        "statistic": "mean",
        "pairs": found.pairs,
        "total": estimate_json(found.total),
        "roles": {role: estimate_json(each) for role, each in found.roles.items()},
        "shares": found.shares,
        "lost": found.lost,
    }


def _ladder(found: Ladder) -> dict[str, Any]:
    return {
        "metric": found.metric,
        "title": found.title,
        "unit": found.unit,
        "labels": list(found.labels),
        "statistic": "mean",
        "pairs": found.whole.n if found.whole else 0,
        "whole": estimate_json(found.whole),
        "steps": [
            {
                "base": step.base,
                "other": step.other,
                "changed": step.changed,
                "difference": estimate_json(step.difference),
                "share": step.share,
            }
            for step in found.steps
        ],
        "lost": found.lost,
    }


def estimate_json(found: Estimate | Share | None) -> dict[str, Any] | None:
    """A figure with its interval; None where there is none."""
    if found is None:
        return None
    interval = found.interval
    return {
        "value": found.value,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "level": interval.level if interval else None,
        "n": found.n,
        "clips": found.clusters,
    }
