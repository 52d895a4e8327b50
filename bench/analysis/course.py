"""Latency over the course of a run: whether it drifted, and which turns were held up by the machine."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from firstpacket.bench.errors import RunError
from firstpacket.bench.metrics.definitions import HEADLINE
from firstpacket.bench.metrics.gpu import GPU_FLAGS
from firstpacket.bench.metrics.surroundings import HOST_FLAGS
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.bootstrap import Estimate, Interval
from firstpacket.bench.stats.line import line
from firstpacket.bench.stats.quantiles import median
from firstpacket.bench.summary.values import definition, shown_value

DISTURBED = frozenset((*HOST_FLAGS, *GPU_FLAGS))
"""Flags of turns beside which something went on that may have held them up."""
TEMPERATURES = 60
"""At so many turns, evenly over the run, the traces are asked for the GPU's temperature."""
METHOD = "Theil-Sen line through the turns, each over the median of its label and clip, times the length of the run"


@dataclass(frozen=True, slots=True)
class Course:
    """A label's answered measured turns: place among all measured turns of the run (from 1), first packet in ms, and
    whether the machine did something else beside."""

    label: str
    places: tuple[int, ...]
    ms: tuple[float, ...]
    disturbed: tuple[bool, ...]
    change: Estimate | None
    """From the first turn of the run to its last, ms; None with too few turns."""


def courses(run: Run) -> tuple[Course, ...]:
    """Of every label that has answers; turns in the order in which they were asked."""
    measured = [turn for turn in run.turns if turn.phase == "measured"]
    known = definition(HEADLINE)
    by_label: dict[str, list[tuple[int, float, Turn]]] = defaultdict(list)
    for place, turn in enumerate(measured, start=1):
        value = shown_value(turn, known)
        if value is not None:
            by_label[turn.label].append((place, value, turn))
    return tuple(
        _course(plan.label, by_label[plan.label], len(measured)) for plan in run.manifest.labels if by_label[plan.label]
    )


def temperatures(run: Run) -> tuple[tuple[int, int], ...]:
    """Place among the measured turns and the warmest GPU's temperature after each, °C; empty where none is known."""
    measured = [turn for turn in run.turns if turn.phase == "measured"]
    found = []
    for place in range(0, len(measured), max(1, len(measured) // TEMPERATURES)):
        warmest = _temperature(run, measured[place])
        if warmest is None:
            return ()
        found.append((place + 1, warmest))
    return tuple(found)


def _course(label: str, turns: list[tuple[int, float, Turn]], length: int) -> Course:
    places, ms, seen = zip(*turns, strict=True)
    return Course(
        label, places, ms, tuple(not DISTURBED.isdisjoint(turn.flags) for turn in seen), _change(turns, length)
    )


def _change(turns: list[tuple[int, float, Turn]], length: int) -> Estimate | None:
    """Where clips come once only they differ among themselves, which the seeded order spreads evenly over the run."""
    by_clip: dict[str, list[float]] = defaultdict(list)
    for _, value, turn in turns:
        by_clip[turn.utterance].append(value)
    usual = {clip: median(values) for clip, values in by_clip.items()} if len(by_clip) < len(turns) else {}
    fit = line([place for place, _, _ in turns], [value - usual.get(turn.utterance, 0.0) for _, value, turn in turns])
    if fit is None or fit.slope.interval is None:
        return None
    span = length - 1
    ends = fit.slope.interval
    return Estimate(
        fit.slope.value * span, fit.slope.n, len(by_clip), Interval(ends.low * span, ends.high * span, ends.level)
    )


def _temperature(run: Run, turn: Turn) -> int | None:
    try:
        beside = run.evidence(turn).beside
    except RunError:
        return None
    readings = [gpu.after.temperature_c for gpu in (beside.gpus if beside else ()) if gpu.after is not None]
    return max((each for each in readings if each is not None), default=None)
