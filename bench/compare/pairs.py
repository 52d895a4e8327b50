"""Pairs of values: turn by turn within a run, clip by clip between runs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from firstpacket.bench.metrics.definitions import Metric
from firstpacket.bench.record.schema import PairKey, Turn
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.quantiles import median
from firstpacket.bench.summary.values import shown_value

T = TypeVar("T")
Together = dict[PairKey, tuple[Sequence[Turn], ...]]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Values of one metric on both sides, pair by pair, with the clip of each; in display units."""

    before: tuple[float, ...]
    after: tuple[float, ...]
    clips: tuple[str, ...]
    dropped: dict[str, int] = field(default_factory=dict)
    """Dropped pairs, by reason."""
    only_before: int = 0
    """Pairs that only the first side answered."""
    only_after: int = 0
    blocks: tuple[str, ...] = ()
    """Within a run: segment and block of each pair."""


def asked_together(run: Run, labels: Sequence[str]) -> Together:
    """The measured turns of each label, by clip, segment and block. Turns with one key were measured within seconds of
    each other."""
    found: dict[PairKey, tuple[list[Turn], ...]] = defaultdict(lambda: tuple([] for _ in labels))
    for turn in run.measured():
        for side, label in enumerate(labels):
            if turn.label == label:
                found[turn.pair_key][side].append(turn)
    return {key: found[key] for key in sorted(found)}


def turn_by_turn(run: Run, base: str, other: str, known: Metric) -> Pairs:
    """Two labels of one run. A pair is the same clip in the same block of the same segment.

    Raises `UnknownName` for a label that the run does not have.
    """
    for label in (base, other):
        run.plan(label)
    return pairs_of(asked_together(run, (base, other)), (base, other), known)


def start_by_start(run: Run, base: str, other: str, known: Metric) -> list[Pairs]:
    """The pairs of `turn_by_turn`, apart for each start of the processes (each segment of the run)."""
    for label in (base, other):
        run.plan(label)
    starts: dict[int, Together] = defaultdict(dict)
    for key, sides in asked_together(run, (base, other)).items():
        starts[key.segment][key] = sides
    return [pairs_of(starts[segment], (base, other), known) for segment in sorted(starts)]


def pairs_of(together: Together, names: tuple[str, str], known: Metric) -> Pairs:
    """The pairs of two labels on one metric, from turns measured together."""
    kept, dropped = complete(together, names, lambda turns: value_of(turns, known))
    # Where a side has no turn, the run was stopped between the two: that says nothing about its answers.
    gaps = Counter(tuple(map(_answered, sides)) for key, sides in together.items() if key not in kept and all(sides))
    return Pairs(
        before=tuple(before for before, _ in kept.values()),
        after=tuple(after for _, after in kept.values()),
        clips=tuple(key.utterance for key in kept),
        dropped=dropped,
        only_before=gaps[True, False],
        only_after=gaps[False, True],
        blocks=tuple(key.stretch for key in kept),
    )


def complete(
    together: Together, names: Sequence[str], value: Callable[[Sequence[Turn]], T | str]
) -> tuple[dict[PairKey, list[T]], dict[str, int]]:
    """The values of all labels where each has one, and how many others there are by reason.

    `value` returns the reason, as a text, for turns that have none.
    """
    kept: dict[PairKey, list[T]] = {}
    dropped: Counter[str] = Counter()
    for key, sides in together.items():
        values = [value(turns) for turns in sides]
        row = [each for each in values if not isinstance(each, str)]
        if len(row) == len(values):
            kept[key] = row
        else:
            missing = zip(names, values, strict=True)
            dropped[", ".join(f"{name}: {why}" for name, why in missing if isinstance(why, str))] += 1
    return kept, dict(sorted(dropped.items()))


def names_in(base: Run, other: Run, labels: tuple[str, str]) -> tuple[str, str]:
    """Labels of two runs by the runs' names, or by their folders if both have the same name."""
    of_runs = (base.manifest.run, other.manifest.run)
    if of_runs[0] == of_runs[1]:
        of_runs = (str(base.path), str(other.path))
    return f"{labels[0]} in {of_runs[0]}", f"{labels[1]} in {of_runs[1]}"


def clip_by_clip(base: Run, other: Run, label: str, known: Metric, other_label: str = "") -> Pairs:
    """One label of two runs (or two labels): a clip's value is the median of its turns in each run.

    Drift of the machine between the runs is part of every difference. Raises `UnknownName` for a label that one of
    them does not have.
    """
    asked_of = ((base, label), (other, other_label or label))
    sides = [by_clip(run, name, known) for run, name in asked_of]
    names = names_in(base, other, (label, other_label or label))
    common = tuple(clip for clip in sorted(sides[0]) if clip in sides[1])
    asked = sorted({turn.utterance for run, name in asked_of for turn in run.measured(name)})
    gaps = [", ".join(name for name, side in zip(names, sides, strict=True) if clip not in side) for clip in asked]
    return Pairs(
        tuple(sides[0][clip] for clip in common),
        tuple(sides[1][clip] for clip in common),
        common,
        dict(sorted(Counter(f"no {known.title} from {gap}" for gap in gaps if gap).items())),
        sum(gap == names[1] for gap in gaps),
        sum(gap == names[0] for gap in gaps),
    )


def by_clip(run: Run, label: str, known: Metric) -> dict[str, float]:
    """The median of a label's measured turns on every clip with a value. Raises `UnknownName` for the label."""
    run.plan(label)  # raises if there is none
    values: dict[str, list[float]] = defaultdict(list)
    for turn in run.measured(label):
        value = shown_value(turn, known)
        if value is not None:
            values[turn.utterance].append(value)
    return {clip: median(found) for clip, found in values.items()}


def _answered(turns: Sequence[Turn]) -> bool:
    return any(turn.is_answered for turn in turns)


def value_of(turns: Sequence[Turn], known: Metric) -> float | str:
    """The value of the only turn, or why there is none."""
    if len(turns) != 1:
        return f"{len(turns)} turns in one block" if turns else "no such turn"
    turn = turns[0]
    value = shown_value(turn, known)
    if value is not None:
        return value
    return f"no {known.title}" if turn.is_answered else turn.outcome
