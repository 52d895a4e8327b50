"""Latency over a run: whether it drifted, and during which turns the machine was busy with other work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from firstpacket.bench.contract import Keyed, Omitted, computed
from firstpacket.bench.errors import RunError
from firstpacket.bench.metrics.definitions import HEADLINE
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.bootstrap import Estimate, Interval
from firstpacket.bench.stats.quantiles import median
from firstpacket.bench.stats.regression import line
from firstpacket.bench.summary.values import definition, shown_value
from firstpacket.bench.vocabulary import flags_from

NOISY = frozenset(flags_from("host", "gpu"))
"""Flags of turns that other activity of the machine may have slowed down."""
TEMPERATURES = 60
"""Number of turns, evenly over the run, whose traces are read for the GPU's temperature."""
METHOD = "Theil-Sen slope over the turns, each minus the median of its system and clip, times the length of the run"


@dataclass(frozen=True, slots=True)
class SystemDrift:
    """A system's answered measured turns over the run, in parallel tuples, and how much its latency changed."""

    label: str
    positions: Omitted[tuple[int, ...]]
    """Among all measured turns of the run, from 1."""
    ms: Omitted[tuple[float, ...]]
    """First packets."""
    was_noisy: Omitted[tuple[bool, ...]]
    """Whether the machine did other work during the turn."""
    change: Estimate | None
    """From the first turn of the run to its last, ms; None with too few turns."""

    @computed
    def turns(self) -> int:
        """Answered measured turns."""
        return len(self.ms)

    @computed
    def noisy(self) -> int:
        """Those during which the machine did other work."""
        return sum(self.was_noisy)


@dataclass(frozen=True, slots=True)
class Range:
    """The smallest and the largest value."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class DriftOverRun:
    """Change over the run, by system, and the temperature of the warmest GPU."""

    labels: Annotated[tuple[SystemDrift, ...], Keyed("label")]
    temperatures: Omitted[tuple[tuple[int, int], ...]]
    method: str = METHOD

    @computed
    def temperature(self) -> Range | None:
        """Of the warmest GPU, °C; None where it is not known."""
        found = [celsius for _, celsius in self.temperatures]
        return Range(min(found), max(found)) if found else None


def drift(run: Run) -> DriftOverRun:
    """For every system with answered turns; turns in run order."""
    measured = run.measured()
    known = definition(HEADLINE)
    by_label: dict[str, list[tuple[int, float, Turn]]] = defaultdict(list)
    for position, turn in enumerate(measured, start=1):
        value = shown_value(turn, known)
        if value is not None:
            by_label[turn.label].append((position, value, turn))
    labels = [plan.label for plan in run.manifest.labels if by_label[plan.label]]
    found = tuple(_of_system(label, by_label[label], len(measured)) for label in labels)
    return DriftOverRun(found, _temperatures(run, measured))


def _temperatures(run: Run, measured: Sequence[Turn]) -> tuple[tuple[int, int], ...]:
    """Position among the measured turns and the warmest GPU's temperature after each, °C; empty if unknown."""
    found = []
    for position in range(0, len(measured), max(1, len(measured) // TEMPERATURES)):
        warmest = _temperature(run, measured[position])
        if warmest is None:
            return ()
        found.append((position + 1, warmest))
    return tuple(found)


def _of_system(label: str, turns: list[tuple[int, float, Turn]], length: int) -> SystemDrift:
    positions, ms, seen = zip(*turns, strict=True)
    return SystemDrift(
        label, positions, ms, tuple(not NOISY.isdisjoint(turn.flags) for turn in seen), _change(turns, length)
    )


def _change(turns: list[tuple[int, float, Turn]], length: int) -> Estimate | None:
    """Clips that occur once are compared with each other; the seeded order spreads them evenly over the run."""
    by_clip: dict[str, list[float]] = defaultdict(list)
    for _, value, turn in turns:
        by_clip[turn.utterance].append(value)
    usual = {clip: median(values) for clip, values in by_clip.items()} if len(by_clip) < len(turns) else {}
    fit = line(
        [position for position, _, _ in turns], [value - usual.get(turn.utterance, 0.0) for _, value, turn in turns]
    )
    if fit is None or fit.slope.interval is None:
        return None
    span = length - 1
    ends = fit.slope.interval
    return Estimate(
        fit.slope.value * span, fit.slope.n, len(by_clip), Interval(ends.low * span, ends.high * span, ends.level)
    )


def _temperature(run: Run, turn: Turn) -> int | None:
    try:
        telemetry = run.evidence(turn).telemetry
    except RunError:
        return None
    readings = [gpu.after.temperature_c for gpu in (telemetry.gpus if telemetry else ()) if gpu.after is not None]
    return max((each for each in readings if each is not None), default=None)
