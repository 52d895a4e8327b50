"""One label of two runs. There are no pairs, only clips in common: a clip's value is the median of its turns in either
run, and drift of the machine between the runs is part of the difference."""

from __future__ import annotations

from collections import Counter, defaultdict

from bench.compare.comparable import differences
from bench.compare.comparison import Comparison, any_dummy, asked_for, check_label, comparison
from bench.errors import RunError
from bench.metrics.definitions import HEADLINE, Metric
from bench.record.store import Run
from bench.stats.quantiles import median
from bench.summary.values import measured_turns, shown_value


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
    values = [_by_clip(run, label, known) for run in (base, other)]
    common = sorted(values[0].keys() & values[1].keys())
    names = (f"{label} in {base.manifest.run}", f"{label} in {other.manifest.run}")
    asked = sorted(_clips(base, label) | _clips(other, label))
    gaps = [", ".join(name for name, side in zip(names, values, strict=True) if clip not in side) for clip in asked]
    lost = Counter(f"no {known.title} from {gap}" for gap in gaps if gap)
    dummy = any_dummy(((base, label), (other, label)))
    before, after = ([side[clip] for clip in common] for side in values)
    return comparison(known, names, "clip", before, after, common, lost, dummy)


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


def _by_clip(run: Run, label: str, known: Metric) -> dict[str, float]:
    check_label(run, label)
    values: dict[str, list[float]] = defaultdict(list)
    for turn in measured_turns(run, label):
        value = shown_value(turn, known)
        if value is not None:
            values[turn.utterance].append(value)
    return {clip: median(found) for clip, found in values.items()}


def _clips(run: Run, label: str) -> set[str]:
    return {turn.utterance for turn in measured_turns(run, label)}
