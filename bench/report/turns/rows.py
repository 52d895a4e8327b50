"""Every turn of a run as a row of the table: from turns.jsonl alone, without opening a trace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from firstpacket.bench.metrics.definitions import FIRST_AUDIBLE, HEADLINE
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.record.store import Run
from firstpacket.bench.report.turns.ordering import in_order_of_rank
from firstpacket.bench.timing.clock import NS_PER_MS
from firstpacket.bench.vocabulary import Flag

LONGEST_QUESTION = 120
"""Characters of a clip's text in the table; the turn's details have all of it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One turn; `rank` is its rank among its system's measured turns, 1 the worst. Times in ms after t0."""

    turn: Turn
    rank: int | None
    question: str
    first_ms: float | None
    heard_ms: float | None
    stalled_ms: float | None


@dataclass(frozen=True, slots=True)
class Choices:
    """What the rows can be filtered by: the values that occur, in order of appearance."""

    phases: tuple[str, ...]
    labels: tuple[str, ...]
    outcomes: tuple[str, ...]
    flags: tuple[Flag, ...]


def turn_rows(run: Run, ranked: Mapping[int, int]) -> tuple[Row, ...]:
    """All turns without exception, the worst of each system first."""
    questions = {facts.id: _shortened(facts.text or "") for facts in run.manifest.utterances}
    return tuple(
        _row(turn, ranked.get(turn.turn), questions.get(turn.utterance, "")) for turn in in_order_of_rank(run, ranked)
    )


def choices(run: Run, rows: Iterable[Row]) -> Choices:
    """The values of the rows' columns."""
    given = list(rows)
    return Choices(
        phases=tuple(dict.fromkeys(row.turn.phase for row in given)),
        labels=run.labels,
        outcomes=tuple(dict.fromkeys(row.turn.outcome for row in given)),
        flags=tuple(sorted({flag for row in given for flag in row.turn.flags})),
    )


def figure_ms(turn: Turn, name: str) -> float | None:
    """A turn's figure in ms; None if it has none."""
    ns = turn.figures.get(name)
    return None if ns is None else ns / NS_PER_MS


def _row(turn: Turn, rank: int | None, question: str) -> Row:
    return Row(turn, rank, question, *(figure_ms(turn, name) for name in (HEADLINE, FIRST_AUDIBLE, "stall_total")))


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_QUESTION else f"{text[:LONGEST_QUESTION]}…"
