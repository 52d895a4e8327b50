"""A ladder: several labels in order, each with one thing changed, with the effect of every step and of all together.

Steps are mean differences between neighbours, over the turns that every label answered. Means, because they add up to
the whole; medians do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from firstpacket.bench.compare.comparison import any_dummy, requested_metric
from firstpacket.bench.compare.pairs import asked_together, complete, value_of
from firstpacket.bench.errors import UsageError
from firstpacket.bench.metrics.definitions import HEADLINE
from firstpacket.bench.record.schema import System
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.bootstrap import Estimate
from firstpacket.bench.stats.paired import paired_difference
from firstpacket.bench.summary.contents import Unit
from firstpacket.bench.summary.values import shown_unit

SETTINGS = ("pipeline", "device", "dtype")
LONGEST = 40
"""Characters of an option's value that are shown."""


@dataclass(frozen=True, slots=True)
class Step:
    """From one label to the next: the mean of the paired differences `other - base`."""

    base: str
    other: str
    changed: str
    """The differences between the two labels: `mode sequential → overlapped`."""
    difference: Estimate
    share: float | None
    """Of the whole; None if the interval of the whole includes zero."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """The steps in their order; their differences add up to that of `total`, the last label against the first."""

    metric: str
    title: str
    unit: Unit
    labels: tuple[str, ...]
    steps: tuple[Step, ...]
    """Empty if every label answered in no pair."""
    total: Estimate | None
    dropped: dict[str, int]
    """Dropped turns, for which not every label has the figure, by reason."""
    dummy: bool


def ladder(run: Run, labels: Sequence[str], metric: str = HEADLINE) -> Ladder:
    """The ladder through these labels of a run, on one metric.

    Raises `UsageError` for fewer than two labels or a repeated one, `UnknownName` for an unknown label or
    metric.
    """
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise UsageError(
            f"--ladder {','.join(labels)}: a ladder needs at least two different labels, such as --ladder A,B,C."
        )
    known = requested_metric(metric)
    plans = [run.plan(label) for label in labels]
    kept, dropped = complete(asked_together(run, labels), labels, lambda turns: value_of(turns, known))
    clips, blocks = [key.utterance for key in kept], [key.stretch for key in kept]
    columns = list(zip(*kept.values(), strict=True))

    def difference(first: int, last: int) -> Estimate:
        return paired_difference(columns[first], columns[last], clips, statistic="mean", blocks=blocks)

    total = difference(0, -1) if kept else None
    found = [difference(place, place + 1) for place in range(len(labels) - 1)] if kept else []
    steps = [
        Step(a.label, b.label, _changed(a, b), each, _share(each, total))
        for (a, b), each in zip(pairwise(plans), found, strict=bool(kept))
    ]
    return Ladder(
        metric=known.name,
        title=known.title,
        unit=shown_unit(known),
        labels=tuple(labels),
        steps=tuple(steps),
        total=total,
        dropped=dropped,
        dummy=any_dummy([(run, label) for label in labels]),
    )


def _share(step: Estimate, total: Estimate | None) -> float | None:
    if total is None or total.interval is None or total.interval.contains(0.0):
        return None
    return step.value / total.value


def _changed(a: System, b: System) -> str:
    before, after = ({name: getattr(plan, name) for name in SETTINGS} for plan in (a, b))
    if a.pipeline == b.pipeline:
        before, after = before | a.options, after | b.options
    names = dict.fromkeys([*before, *after])
    changed = [name for name in names if before.get(name) != after.get(name)]
    return ", ".join(f"{name} {_short(before.get(name))} → {_short(after.get(name))}" for name in changed) or "nothing"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
