"""Bars laid out in per cent: the mean critical path of every system, stacked, on one scale."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from firstpacket.bench.format import amount
from firstpacket.bench.summary.contents import LabelSummary

NO_STAGE = "no stage"
"""Shown for time on the path that belongs to no stage."""
LEAST_SAID = 0.5
"""Per cent of the longest path: smaller parts appear only in the table."""


@dataclass(frozen=True, slots=True)
class Bar:
    """An interval that starts at `left` and is `width` wide, both in per cent; role and kind set its style.

    `name` is its visible text (may be empty), `said` its tooltip.
    """

    left: float
    width: float
    role: str
    kind: str
    name: str
    said: str


@dataclass(frozen=True, slots=True)
class Stack:
    """A system's mean path: its parts end to end."""

    label: str
    n: int
    total_ms: float
    bars: tuple[Bar, ...]

    @property
    def said(self) -> str:
        """Its parts in words, without negligible ones."""
        return ", ".join(bar.said for bar in self.bars if bar.width >= LEAST_SAID)


def stacks(labels: Sequence[LabelSummary], whole_stages: bool = False) -> tuple[Stack, ...]:
    """One stack per system that has a path, with a bar per part; the longest fills the width.

    With `whole_stages`, one bar per stage, all kinds of time together, in the order of declaration.
    """
    longest = max((label.path.total_ms for label in labels), default=0.0)
    shown = _stages if whole_stages else _parts
    return tuple(_stack(label, longest, shown(label)) for label in labels if label.path.n)


def _stack(label: LabelSummary, longest: float, parts: Iterable[tuple[float, str, str, str, str]]) -> Stack:
    """The bars of `parts`: each its ms, its role, kind and name as `Bar` has them, and how its tooltip begins."""
    bars, at = [], 0.0
    for ms, role, kind, name, said in parts:
        width = 100 * ms / longest
        bars.append(Bar(at, width, role, kind, name, f"{said}: {amount(ms, 'ms')}"))
        at += width
    return Stack(label.label, label.path.n, label.path.total_ms, tuple(bars))


def _stages(label: LabelSummary) -> Iterator[tuple[float, str, str, str, str]]:
    means: dict[tuple[str, str], float] = defaultdict(float)
    for part in label.path.parts:
        means[part.stage, part.role] += part.mean.value
    for (stage, role), mean in means.items():
        yield mean, role, "stage", stage or NO_STAGE, stage or NO_STAGE


def _parts(label: LabelSummary) -> Iterator[tuple[float, str, str, str, str]]:
    """A stage's name is written on its widest part."""
    widest = {part.stage: part for part in sorted(label.path.parts, key=lambda part: part.mean.value)}
    for part in label.path.parts:
        stage = part.stage or NO_STAGE
        name = stage if widest[part.stage] is part else ""
        yield part.mean.value, part.role, part.kind, name, f"{stage}, {part.kind}"
