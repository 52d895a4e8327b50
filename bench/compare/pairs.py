"""Values laid side by side: within a run turn by turn, between runs clip by clip."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.compare.comparison import check_label
from bench.metrics.definitions import Metric
from bench.record.schema import Turn
from bench.record.store import Run
from bench.stats.quantiles import median
from bench.summary.values import measured_turns, shown_value

Key = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Values of one metric on either side, pair by pair, with the clip of each; in the units that people see."""

    before: tuple[float, ...]
    after: tuple[float, ...]
    clips: tuple[str, ...]
    lost: dict[str, int] = field(default_factory=dict)
    """Pairs that could not be made, by reason."""
    only_before: int = 0
    """Pairs of which only the first side answered."""
    only_after: int = 0


def turn_by_turn(run: Run, base: str, other: str, known: Metric) -> Pairs:
    """Two labels of one run. A pair is the same clip in the same block of the same segment: both turns met the same
    machine within seconds. Raises `UnknownName` for a label that the run does not have."""
    turns = {label: _by_key(run, label) for label in (base, other)}
    before, after, clips = [], [], []
    lost: Counter[str] = Counter()
    answered: Counter[tuple[bool, bool]] = Counter()
    for key in sorted(turns[base].keys() | turns[other].keys()):
        sides = [turns[label].get(key, []) for label in (base, other)]
        answered[_answered(sides[0]), _answered(sides[1])] += 1
        a, b = (_value(side, known) for side in sides)
        if isinstance(a, str) or isinstance(b, str):
            said = ((base, a), (other, b))
            lost[", ".join(f"{label}: {value}" for label, value in said if isinstance(value, str))] += 1
            continue
        before.append(a)
        after.append(b)
        clips.append(key[0])
    return Pairs(
        tuple(before),
        tuple(after),
        tuple(clips),
        dict(sorted(lost.items())),
        answered[True, False],
        answered[False, True],
    )


def clip_by_clip(base: Run, other: Run, label: str, known: Metric) -> Pairs:
    """One label of two runs: a clip's value is the median of its turns in either run.

    Drift of the machine between the runs is part of every difference. Raises `UnknownName` for a label that one of
    them does not have.
    """
    sides = [_by_clip(run, label, known) for run in (base, other)]
    names = (f"{label} in {base.manifest.run}", f"{label} in {other.manifest.run}")
    common = tuple(clip for clip in sorted(sides[0]) if clip in sides[1])
    asked = sorted({turn.utterance for run in (base, other) for turn in measured_turns(run, label)})
    gaps = [", ".join(name for name, side in zip(names, sides, strict=True) if clip not in side) for clip in asked]
    return Pairs(
        tuple(sides[0][clip] for clip in common),
        tuple(sides[1][clip] for clip in common),
        common,
        dict(sorted(Counter(f"no {known.title} from {gap}" for gap in gaps if gap).items())),
        sum(gap == names[1] for gap in gaps),
        sum(gap == names[0] for gap in gaps),
    )


def _by_key(run: Run, label: str) -> dict[Key, list[Turn]]:
    check_label(run, label)
    found: dict[Key, list[Turn]] = defaultdict(list)
    for turn in measured_turns(run, label):
        found[turn.utterance, turn.segment, turn.block].append(turn)
    return found


def _by_clip(run: Run, label: str, known: Metric) -> dict[str, float]:
    check_label(run, label)
    values: dict[str, list[float]] = defaultdict(list)
    for turn in measured_turns(run, label):
        value = shown_value(turn, known)
        if value is not None:
            values[turn.utterance].append(value)
    return {clip: median(found) for clip, found in values.items()}


def _answered(turns: Sequence[Turn]) -> bool:
    return any(turn.outcome == "answered" for turn in turns)


def _value(turns: Sequence[Turn], known: Metric) -> float | str:
    """The value of the one turn there should be, or why there is none."""
    if len(turns) != 1:
        return f"{len(turns)} turns in one block" if turns else "no such turn"
    turn = turns[0]
    value = shown_value(turn, known)
    if value is not None:
        return value
    return f"no {known.title}" if turn.outcome == "answered" else turn.outcome
