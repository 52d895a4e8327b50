"""How a run with `--until` ended, as plain JSON values.

width unit            what was asked for: half the interval's width, a share or in ms
ended                 narrow, turns, minutes or unfinished
passes most_passes most_minutes looks   whole passes over the corpus, the budget, looks that it allows
level                 of every look's interval; together they hold in 95 % of cases
more_clips_needed     number of clips, about, or null
labels.LABEL          against (label or null) value low high reached n clips why_none: the headline at the last look
"""

from __future__ import annotations

from typing import Any

from firstpacket.bench.metrics.until import Reach
from firstpacket.bench.summary.until import Goal


def until_json(found: Goal | None) -> dict[str, Any] | None:
    """None for a run that was asked for a set number of turns."""
    if found is None:
        return None
    rule, look = found.rule, found.look
    return {
        "width": rule.width,
        "unit": rule.unit,
        "ended": found.ended,
        "passes": look.blocks,
        "most_passes": rule.blocks,
        "most_minutes": rule.minutes,
        "looks": found.planned,
        "level": look.level,
        "more_clips_needed": found.clips_needed,
        "labels": {reach.label: _reach(reach) for reach in look.reaches},
    }


def _reach(reach: Reach) -> dict[str, Any]:
    found = reach.estimate
    interval = found.interval if found else None
    return {
        "against": reach.against or None,
        "value": found.value if found else None,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "reached": reach.width,
        "n": found.n if found else 0,
        "clips": found.clusters if found else 0,
        "why_none": reach.why_none,
    }
