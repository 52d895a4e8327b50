"""Pairs of values: turn by turn within a run, clip by clip between runs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from firstpacket.bench.metrics.definitions import Metric
from firstpacket.bench.record.schema import PairKey, Turn
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.quantiles import median
from firstpacket.bench.summary.values import shown_value

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
    each other. Raises `UnknownName` for a label that the run does not have."""
    sides = [_by_key(run, label) for label in labels]
    keys = sorted({key for side in sides for key in side})
    return {key: tuple(side.get(key, ()) for side in sides) for key in keys}


def turn_by_turn(run: Run, base: str, other: str, known: Metric) -> Pairs:
    """Two labels of one run. A pair is the same clip in the same block of the same segment.

    Raises `UnknownName` for a label that the run does not have.
    """
    return pairs_of(asked_together(run, (base, other)), (base, other), known)


def pairs_of(together: Together, names: tuple[str, str], known: Metric) -> Pairs:
    """The pairs of two labels on one metric, from turns measured together."""
    kept: list[tuple[PairKey, float, float]] = []
    dropped: Counter[str] = Counter()
    answered: Counter[tuple[bool, bool]] = Counter()
    for key, sides in together.items():
        a, b = value_of(sides[0], known), value_of(sides[1], known)
        if isinstance(a, str) or isinstance(b, str):
            dropped[why_dropped(names, (a, b))] += 1
            answered[_answered(sides[0]), _answered(sides[1])] += 1
        else:
            kept.append((key, a, b))
    return Pairs(
        before=tuple(a for _, a, _ in kept),
        after=tuple(b for _, _, b in kept),
        clips=tuple(key.utterance for key, _, _ in kept),
        dropped=dict(sorted(dropped.items())),
        only_before=answered[True, False],
        only_after=answered[False, True],
        blocks=tuple(key.stretch for key, _, _ in kept),
    )


def why_dropped(names: Sequence[str], values: Sequence[object]) -> str:
    """Which labels have no value, and why; `values` has the reason in place of a missing value."""
    return ", ".join(f"{name}: {value}" for name, value in zip(names, values, strict=True) if isinstance(value, str))


def clip_by_clip(base: Run, other: Run, label: str, known: Metric, other_label: str = "") -> Pairs:
    """One label of two runs (or two labels): a clip's value is the median of its turns in each run.

    Drift of the machine between the runs is part of every difference. Raises `UnknownName` for a label that one of
    them does not have.
    """
    asked_of = ((base, label), (other, other_label or label))
    sides = [by_clip(run, name, known) for run, name in asked_of]
    names = tuple(f"{name} in {run.manifest.run}" for run, name in asked_of)
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


def _by_key(run: Run, label: str) -> dict[PairKey, list[Turn]]:
    run.plan(label)  # raises if there is none
    found: dict[PairKey, list[Turn]] = defaultdict(list)
    for turn in run.measured(label):
        found[turn.pair_key].append(turn)
    return found


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
