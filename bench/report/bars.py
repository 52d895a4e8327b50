"""Bars laid out in per cent: the mean critical path of every label, stacked, on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.compare.words import amount
from bench.stats.bootstrap import Estimate
from bench.summary.contents import LabelSummary
from bench.summary.path import ROLES

NO_STAGE = "no stage"
"""Shown for time on the path that no stage accounts for."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch from `left` on, `width` wide, both in per cent; role and kind give its looks.

    `name` is written into it (or nothing, if empty), `said` is its tooltip.
    """

    left: float
    width: float
    role: str
    kind: str
    name: str
    said: str


@dataclass(frozen=True, slots=True)
class Stack:
    """A label's mean path: its parts end to end."""

    label: str
    n: int
    total_ms: float
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class PathRow:
    """A part of the path across the labels, ms; None where a label has no such part."""

    name: str
    role: str
    kind: str
    means: tuple[Estimate | None, ...]


def stacks(labels: Sequence[LabelSummary]) -> tuple[Stack, ...]:
    """One stack per label that has a path; the longest fills the width."""
    longest = max((label.path.total_ms for label in labels), default=0.0)
    return tuple(_stack(label, longest) for label in labels if label.path.n)


def path_rows(labels: Sequence[LabelSummary]) -> tuple[PathRow, ...]:
    """All parts of all labels' paths, each once, by role, so that unlike pipelines stand side by side."""
    by_label = [{(part.stage, part.kind): part for part in label.path.parts} for label in labels]
    owners = dict.fromkeys(owner for parts in by_label for owner in parts)
    rows = []
    for stage, kind in owners:
        found = [parts.get((stage, kind)) for parts in by_label]
        role = next((part.role for part in found if part is not None), "")
        rows.append(PathRow(stage or NO_STAGE, role, kind, tuple(part.mean if part else None for part in found)))
    return tuple(sorted(rows, key=lambda row: ROLES.index(row.role)))


def hidden_rows(labels: Sequence[LabelSummary]) -> tuple[PathRow, ...]:
    """What the labels' stages did beside their paths, stage by stage."""
    stages = dict.fromkeys(stage for label in labels for stage in label.hidden)
    return tuple(PathRow(stage, "", "hidden", tuple(label.hidden.get(stage) for label in labels)) for stage in stages)


def _stack(label: LabelSummary, longest: float) -> Stack:
    """The name of a stage stands on the widest of its parts."""
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
