"""Labels of one run, turn by turn."""

from __future__ import annotations

from dataclasses import replace

from bench.compare.comparison import Comparison, any_dummy, asked_for, comparison
from bench.compare.pairs import turn_by_turn
from bench.metrics.definitions import HEADLINE
from bench.record.store import Run


def compare_labels(run: Run, base: str, other: str, metric: str = HEADLINE) -> Comparison:
    """Two labels of one run on one metric, paired by clip, block and segment.

    Raises `UnknownName` for a label the run does not have, or an unknown metric.
    """
    known = asked_for(metric)
    pairs = turn_by_turn(run, base, other, known)
    dummy = any_dummy(((run, base), (run, other)))
    found = comparison(known, (base, other), "turn", pairs.before, pairs.after, pairs.clips, pairs.lost, dummy)
    return replace(found, matched=_matched(run, (base, other)))


def compare_all(run: Run, metric: str = HEADLINE) -> tuple[Comparison, ...]:
    """Every label of a run against its first one; empty for a run of one label."""
    first, *rest = [plan.label for plan in run.manifest.labels]
    return tuple(compare_labels(run, first, label, metric) for label in rest)


def _matched(run: Run, labels: tuple[str, str]) -> bool:
    """Whether each of the labels was made like the model of the run, or is it: that one has no such choice."""
    asked = [plan.options.get("matched") for plan in run.manifest.labels if plan.label in labels]
    return True in asked and False not in asked
