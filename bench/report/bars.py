"""Bars laid out in per cent: the mean critical path of every system, stacked, on one scale."""

from __future__ import annotations

from collections.abc import Sequence
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


def stacks(labels: Sequence[LabelSummary]) -> tuple[Stack, ...]:
    """One stack per system that has a path; the longest fills the width."""
    longest = max((label.path.total_ms for label in labels), default=0.0)
    return tuple(_stack(label, longest) for label in labels if label.path.n)


def by_stage(labels: Sequence[LabelSummary]) -> tuple[Stack, ...]:
    """The same with one bar per stage, all kinds of time together, in the order of declaration."""
    longest = max((label.path.total_ms for label in labels), default=0.0)
    return tuple(_by_stage(label, longest) for label in labels if label.path.n)


def _by_stage(label: LabelSummary, longest: float) -> Stack:
    means: dict[str, float] = {}
    roles: dict[str, str] = {}
    for part in label.path.parts:
        means[part.stage] = means.get(part.stage, 0.0) + part.mean.value
        roles[part.stage] = part.role
    bars, at = [], 0.0
    for stage, mean in means.items():
        width = 100 * mean / longest
        name = stage or NO_STAGE
        bars.append(Bar(at, width, roles[stage], "stage", name, f"{name}: {amount(mean, 'ms')}"))
        at += width
    return Stack(label.label, label.path.n, label.path.total_ms, tuple(bars))


def _stack(label: LabelSummary, longest: float) -> Stack:
    """A stage's name is written on its widest part."""
    widest = {part.stage: part for part in sorted(label.path.parts, key=lambda part: part.mean.value)}
    bars, at = [], 0.0
    for part in label.path.parts:
        width = 100 * part.mean.value / longest
        stage = part.stage or NO_STAGE
        name = stage if widest[part.stage] is part else ""
        bars.append(
            Bar(at, width, part.role, part.kind, name, f"{stage}, {part.kind}: {amount(part.mean.value, 'ms')}")
        )
        at += width
    return Stack(label.label, label.path.n, label.path.total_ms, tuple(bars))
