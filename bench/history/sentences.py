"""A history in sentences, the same in the terminal and on the page."""

from __future__ import annotations

from datetime import datetime

from firstpacket.bench.format import amount, counted
from firstpacket.bench.history.changes import MIN_RUNS
from firstpacket.bench.history.history import History
from firstpacket.bench.history.series import Change, Series
from firstpacket.bench.summary.contents import Unit


def date(when: datetime) -> str:
    """To the minute, UTC."""
    return f"{when:%Y-%m-%d %H:%M}"


def said_of(found: History) -> list[str]:
    """Sentences on changes, then on why series are separate, then on series without changes."""
    changed = [_changed(change, found.unit) for each in found.series for change in each.changes]
    begun = [_new_series(each) for each in found.series if each.differs_from_previous]
    rest = (
        [found.not_searched] if found.not_searched else [_unchanged(each) for each in found.series if not each.changes]
    )
    return changed + begun + rest


def _changed(change: Change, unit: Unit) -> str:
    point, ratio = change.point, "" if change.ratio is None else f", ratio {change.ratio:.3f}"
    levels = f"{amount(change.before, unit)} before, {amount(change.after, unit)} after"
    return f"{point.label} changed with {point.run} ({date(point.when)}): {levels}{ratio}"


def _unchanged(each: Series) -> str:
    runs = len(each.points)
    if runs < MIN_RUNS:
        few = f"{counted(runs, 'run')} from {date(each.points[0].when)} on"
        return f"{each.label}: {few}; change points need {MIN_RUNS}"
    return f"{each.label}: no change in {runs} runs from {date(each.points[0].when)} on"


def _new_series(each: Series) -> str:
    first = each.points[0]
    reasons = "; ".join(each.differs_from_previous)
    return f"{each.label}: a new series begins with {first.run} ({date(first.when)}): {reasons}"
