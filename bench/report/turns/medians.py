"""The median turn of every system, stage by stage, all on one scale."""

from __future__ import annotations

from dataclasses import dataclass

from firstpacket.bench.analysis.turn_trace import OneTurn, checked_turn
from firstpacket.bench.errors import RunError
from firstpacket.bench.metrics.definitions import HEADLINE
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.record.store import Run
from firstpacket.bench.report.turns.ordering import median_turn
from firstpacket.bench.report.turns.pictures import Picture, stage_picture, stage_scale
from firstpacket.bench.timing.clock import NS_PER_MS


@dataclass(frozen=True, slots=True)
class Median:
    """A system's median turn; its first packet in ms after t0."""

    turn: Turn
    first_ms: float
    clock_error_ms: float
    picture: Picture


@dataclass(frozen=True, slots=True)
class Medians:
    """Those of all systems; `problems` says why one is missing."""

    turns: tuple[Median, ...]
    problems: tuple[str, ...]


def medians(run: Run) -> Medians:
    """The median turn of every system; one whose evidence is damaged is left out and named."""
    found: list[OneTurn] = []
    problems = []
    for plan in run.manifest.labels:
        turn = median_turn(run, plan.label)
        if turn is None:
            problems.append(f"{plan.label} has no turn with a first packet.")
            continue
        try:
            found.append(checked_turn(run, turn))
        except RunError as error:
            problems.append(str(error))
    scale = stage_scale(found)
    drawn = tuple(
        Median(
            one.turn,
            one.turn.figures[HEADLINE] / NS_PER_MS,
            one.turn.path_error_ns / NS_PER_MS,
            stage_picture(one, scale),
        )
        for one in found
    )
    return Medians(drawn, tuple(problems))
