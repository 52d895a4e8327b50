"""How warm a system was: cold, warm and idle turns, its warm-up, early drift, carry-over, repeated clips, order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from firstpacket.bench.metrics.carry_over import CarryOver, carry_over
from firstpacket.bench.metrics.drift import Drift, early_drift
from firstpacket.bench.metrics.latency import comparable_ms
from firstpacket.bench.metrics.order import OrderEffect, order_effect
from firstpacket.bench.metrics.same_clip import SameClip, same_clip
from firstpacket.bench.metrics.warmup_decision import WarmUp, warm_ups
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.bootstrap import Estimate, estimate
from firstpacket.bench.vocabulary import Flag

Warmth = Literal["cold", "warmup", "measured", "idle", "idle_first"]
"""Classes of turns: `measured` is warm; `idle_first` are those of `idle` in which the machine had been idle too."""
CLASSES: tuple[Warmth, ...] = ("cold", "warmup", "measured", "idle", "idle_first")


@dataclass(frozen=True, slots=True)
class ClassOfTurns:
    """The first packets of one class of turns, ms; `turns` counts all of them, whatever their outcome."""

    turns: int
    first_packet: Estimate | None
    vs_warm: Estimate | None
    """Median excess over the system's measured turns of the same clip; None for the measured turns themselves."""


@dataclass(frozen=True, slots=True)
class LabelWarmth:
    """For one system. From `drift` on, None if there are too few turns to tell."""

    classes: dict[Warmth, ClassOfTurns]
    warm_ups: tuple[WarmUp, ...]
    """Empty for a fixed number of warm-up turns."""
    drift: Drift | None
    carry_over: CarryOver | None
    same_clip: SameClip | None
    order: OrderEffect | None


def warmth(run: Run) -> dict[str, LabelWarmth]:
    """For every system of a run."""
    carried = {each.label: each for each in carry_over(run.turns, run.labels)}
    rule = run.manifest.warmup_rule
    found = {}
    for label in run.labels:
        turns = [turn for turn in run.turns if turn.label == label]
        found[label] = LabelWarmth(
            classes=_classes(turns),
            warm_ups=warm_ups(turns, rule) if rule else (),
            drift=early_drift([turn for turn in turns if turn.is_measured]),
            carry_over=carried.get(label),
            same_clip=same_clip(turns),
            order=order_effect(run.turns, label),
        )
    return found


def _classes(turns: Sequence[Turn]) -> dict[Warmth, ClassOfTurns]:
    warm: dict[str, list[float]] = defaultdict(list)
    for turn in turns:
        if turn.is_measured and (value := comparable_ms(turn)) is not None:
            warm[turn.utterance].append(value)
    usual = {clip: median(values) for clip, values in warm.items()}
    return {name: _class(name, [turn for turn in turns if _belongs(turn, name)], usual) for name in CLASSES}


def _belongs(turn: Turn, name: Warmth) -> bool:
    if name == "idle_first":
        return turn.phase == "idle" and Flag.NOT_FIRST_AFTER_IDLE not in turn.flags
    return turn.phase == name


def _class(name: Warmth, turns: Sequence[Turn], usual: Mapping[str, float]) -> ClassOfTurns:
    timed = [(turn.utterance, value) for turn in turns if (value := comparable_ms(turn)) is not None]
    over = [(clip, value - usual[clip]) for clip, value in timed if clip in usual]
    over = [] if name == "measured" else over
    return ClassOfTurns(len(turns), _median(timed), _median(over))


def _median(values: Sequence[tuple[str, float]]) -> Estimate | None:
    return estimate([value for _, value in values], [clip for clip, _ in values]) if values else None
