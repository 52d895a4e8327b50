"""Labels of one run. A pair is the same clip in the same block of the same segment: both turns met the same machine
within seconds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from bench.compare.comparison import Comparison, any_dummy, asked_for, check_label, comparison
from bench.metrics.definitions import HEADLINE, Metric
from bench.record.schema import Turn
from bench.record.store import Run
from bench.summary.values import measured_turns, shown_value

Key = tuple[str, int, int]


def compare_labels(run: Run, base: str, other: str, metric: str = HEADLINE) -> Comparison:
    """Two labels of one run on one metric, paired by clip, block and segment.

    Raises `UnknownName` for a label the run does not have, or an unknown metric.
    """
    known = asked_for(metric)
    turns = {label: _by_key(run, label) for label in (base, other)}
    before, after, clips = [], [], []
    lost: Counter[str] = Counter()
    for key in sorted(turns[base].keys() | turns[other].keys()):
        values = {label: _value(turns[label].get(key, []), known) for label in (base, other)}
        reasons = [f"{label}: {value}" for label, value in values.items() if isinstance(value, str)]
        a, b = values[base], values[other]
        if isinstance(a, str) or isinstance(b, str):
            lost[", ".join(reasons)] += 1
            continue
        before.append(a)
        after.append(b)
        clips.append(key[0])
    dummy = any_dummy(((run, base), (run, other)))
    found = comparison(known, (base, other), "turn", before, after, clips, lost, dummy)
    return replace(found, matched=_matched(run, (base, other)))


def compare_all(run: Run, metric: str = HEADLINE) -> tuple[Comparison, ...]:
    """Every label of a run against its first one; empty for a run of one label."""
    first, *rest = [plan.label for plan in run.manifest.labels]
    return tuple(compare_labels(run, first, label, metric) for label in rest)


def _matched(run: Run, labels: tuple[str, str]) -> bool:
    """Whether each of the labels was made like the model of the run, or is it: that one has no such choice."""
    asked = [plan.options.get("matched") for plan in run.manifest.labels if plan.label in labels]
    return True in asked and False not in asked


def _by_key(run: Run, label: str) -> dict[Key, list[Turn]]:
    check_label(run, label)
    found: dict[Key, list[Turn]] = defaultdict(list)
    for turn in measured_turns(run, label):
        found[turn.utterance, turn.segment, turn.block].append(turn)
    return found


def _value(turns: Sequence[Turn], known: Metric) -> float | str:
    """The value of the one turn there should be, or why there is none."""
    if len(turns) != 1:
        return f"{len(turns)} turns in one block" if turns else "no such turn"
    turn = turns[0]
    value = shown_value(turn, known)
    if value is not None:
        return value
    return f"no {known.title}" if turn.outcome == "answered" else turn.outcome
