"""One label of two runs. There are no pairs, only clips in common: a clip's value is the median of its turns in either
run, and drift of the machine between the runs is part of the difference."""

from __future__ import annotations

from bench.compare.comparable import differences
from bench.compare.comparison import Comparison, any_dummy, asked_for, comparison
from bench.compare.pairs import clip_by_clip
from bench.errors import RunError
from bench.metrics.definitions import HEADLINE
from bench.record.store import Run


def compare_runs(base: Run, other: Run, label: str, metric: str = HEADLINE) -> Comparison:
    """One label of two runs on one metric, by the clips they have in common.

    Raises `RunError` with every reason if the runs must not be compared (`differences`), `UnknownName` for a label
    that one of them does not have, or an unknown metric.
    """
    if reasons := differences(base, other):
        raise RunError(
            f"Runs '{base.manifest.run}' and '{other.manifest.run}' cannot be compared: {'; '.join(reasons)}. "
            "Repeat one of them with the settings of the other."
        )
    known = asked_for(metric)
    pairs = clip_by_clip(base, other, label, known)
    names = (f"{label} in {base.manifest.run}", f"{label} in {other.manifest.run}")
    dummy = any_dummy(((base, label), (other, label)))
    return comparison(known, names, "clip", pairs.before, pairs.after, pairs.clips, pairs.lost, dummy)


def compare_same_labels(base: Run, other: Run, metric: str = HEADLINE) -> tuple[Comparison, ...]:
    """Every label that both runs have, `other` against `base`. Raises `RunError` as `compare_runs`, or if none is."""
    labels = [plan.label for plan in other.manifest.labels]
    common = [plan.label for plan in base.manifest.labels if plan.label in labels]
    if not common:
        raise RunError(
            f"Runs '{base.manifest.run}' and '{other.manifest.run}' have no label in common "
            f"({_labels(base)}; {_labels(other)}). Give a pipeline the same label in both: LABEL=NAME."
        )
    return tuple(compare_runs(base, other, label, metric) for label in common)


def _labels(run: Run) -> str:
    return ", ".join(plan.label for plan in run.manifest.labels)
