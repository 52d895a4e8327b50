"""From turns and the machine's figures to measured over floor, by stage. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from firstpacket.bench.contract import Keyed
from firstpacket.bench.metrics.definitions import FIRST_AUDIBLE, HEADLINE
from firstpacket.bench.metrics.figures import TurnFigures
from firstpacket.bench.pipeline import Work
from firstpacket.bench.stats.quantiles import median
from firstpacket.bench.timing.clock import NS_PER_MS
from firstpacket.pipelines.tools.roofline.machine import Machine
from firstpacket.pipelines.tools.roofline.operators import Kind

TOTAL = "first packet"


@dataclass(frozen=True, slots=True)
class Spread:
    """One value per repetition: their median, the lowest and the highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Raises `ValueError` without values."""
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Repetition:
    """The machine, and one system's turns right after it was measured: one for each clip."""

    machine: Machine
    turns: Sequence[TurnFigures]


@dataclass(frozen=True, slots=True)
class Load:
    """What a system has to do."""

    label: str
    works: Sequence[Sequence[Work]]
    """The least work after each clip, by stage."""
    operators: Mapping[str, Mapping[Kind, int]]
    """Operators by stage and kind that a turn launches; empty if that is not known."""
    launching_overlaps: bool = False
    """On a GPU the host launches ahead of the device, so the slower of both decides; on a CPU one follows the other."""

    @property
    def read_bytes(self) -> int:
        """Bytes that a turn reads and writes at least, each once per use."""
        return max(sum(each.bytes for each in work) for work in self.works)


@dataclass(frozen=True, slots=True)
class Row:
    """A stage, or the whole. Times in ms: the median over clips, and of that the spread over repetitions."""

    stage: str
    measured_ms: Spread | None
    """On the critical path to the first packet; null without measurement."""
    floor_ms: Spread
    """What memory and arithmetic alone would take."""
    ratio: Spread | None
    """Measured over floor, of the same repetition; null for a stage without known work."""
    operators: int | None
    """Operators that were launched in one turn; null where nothing was run."""
    launching_floor_ms: Spread | None
    """The floor with the cost of launching these operators."""
    launching_ratio: Spread | None
    """Measured over that."""


@dataclass(frozen=True, slots=True)
class Latency:
    """From the delivery of the last sample: ms, and in how many times the first system's, in the same repetition."""

    ms: Spread
    of_first: Spread


@dataclass(frozen=True, slots=True)
class SystemRoofline:
    """One system's floor, and what was measured."""

    label: str
    bandwidth_gb_s: Spread
    """Of memory as its floor assumes it."""
    stages: Annotated[tuple[Row, ...], Keyed("stage")]
    total: Row
    """The whole path: its own median, not the sum of the stages' medians."""
    first_packet: Latency | None
    first_audible: Latency | None
    """Null if a reply was not audible, and without measurement."""


def roofline(load: Load, repetitions: Sequence[Repetition], first: Sequence[Repetition]) -> SystemRoofline:
    """What a system's repetitions show; `first` are those of the system that it is compared with."""
    paths = [[_by_stage(turn) for turn in each.turns] for each in repetitions]
    floors = [[_floors(work, each.machine) for work in load.works] for each in repetitions]
    launchings = [_launching(load, each.machine) for each in repetitions] if load.operators else None
    known = [each.stage for each in load.works[0]]
    others = {stage for turns in paths for turn in turns for stage in turn} | load.operators.keys()
    made = _Rows(load, paths, floors, launchings)
    return SystemRoofline(
        load.label,
        Spread.of([each.machine.bandwidth / 1e9 for each in repetitions]),
        tuple(made.stage(stage) for stage in (*known, *sorted(others - set(known)))),
        made.total(),
        _latency(HEADLINE, repetitions, first),
        _latency(FIRST_AUDIBLE, repetitions, first),
    )


@dataclass(frozen=True, slots=True)
class _Rows:
    load: Load
    paths: list[list[dict[str, float]]]
    """ms by stage, of each turn in each repetition."""
    floors: list[list[dict[str, float]]]
    """The same for each clip."""
    launchings: list[dict[str, float]] | None

    def stage(self, stage: str) -> Row:
        operators = sum(self.load.operators.get(stage, {}).values())
        return self._row(stage or "no stage", operators, lambda by_stage: by_stage.get(stage, 0.0), {stage})

    def total(self) -> Row:
        operators = sum(sum(kinds.values()) for kinds in self.load.operators.values())
        stages = {stage for floors in self.floors[0] for stage in floors} | self.load.operators.keys()
        return self._row(TOTAL, operators, lambda by_stage: sum(by_stage.values()), stages)

    def _row(self, name: str, operators: int, value: Callable[[Mapping[str, float]], float], stages: set[str]) -> Row:
        floors = [median([value(clip) for clip in clips]) for clips in self.floors]
        launching = None
        if self.launchings is not None:
            launching = [
                median([sum(self._launched(stage, clip, cost) for stage in stages) for clip in clips])
                for clips, cost in zip(self.floors, self.launchings, strict=True)
            ]
        measured = [median([value(turn) for turn in turns]) for turns in self.paths] if all(self.paths) else None
        return Row(
            name,
            Spread.of(measured) if measured else None,
            Spread.of(floors),
            _ratio(measured, floors),
            operators if self.launchings is not None else None,
            Spread.of(launching) if launching else None,
            _ratio(measured, launching),
        )

    def _launched(self, stage: str, clip: Mapping[str, float], cost: Mapping[str, float]) -> float:
        floor, launching = clip.get(stage, 0.0), cost.get(stage, 0.0)
        return max(floor, launching) if self.load.launching_overlaps else floor + launching


def _by_stage(turn: TurnFigures) -> dict[str, float]:
    totals: dict[str, float] = defaultdict(float)
    for part in turn.path:
        totals[part.stage] += part.ns / NS_PER_MS
    return totals


def _floors(work: Sequence[Work], machine: Machine) -> dict[str, float]:
    return {each.stage: machine.floor_s(each.bytes, each.operations) * 1000 for each in work}


def _launching(load: Load, machine: Machine) -> dict[str, float]:
    return {stage: machine.launching_s(kinds) * 1000 for stage, kinds in load.operators.items()}


def _ratio(above: Sequence[float] | None, below: Sequence[float] | None) -> Spread | None:
    if not above or not below or min(below) <= 0:
        return None
    return Spread.of([measured / floor for measured, floor in zip(above, below, strict=True)])


def _latency(metric: str, repetitions: Sequence[Repetition], first: Sequence[Repetition]) -> Latency | None:
    own, others = (_medians(metric, each) for each in (repetitions, first))
    if own is None or others is None:
        return None
    return Latency(Spread.of(own), Spread.of([value / other for value, other in zip(own, others, strict=True)]))


def _medians(metric: str, repetitions: Sequence[Repetition]) -> list[float] | None:
    """ms by repetition; None if a turn has no such figure."""
    turns = [turn for each in repetitions for turn in each.turns]
    if not turns or not all(metric in turn.figures for turn in turns):
        return None
    return [median([turn.figures[metric] / NS_PER_MS for turn in each.turns]) for each in repetitions]
