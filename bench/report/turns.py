"""Every turn of a run as a row, with what was heard and said where the trace has it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.errors import RunError
from bench.metrics.definitions import HEADLINE
from bench.record.schema import Turn
from bench.record.store import Run
from bench.summary.values import NS_PER_MS

ALL_TEXTS_UNTIL = 600
"""In runs of more turns than this, texts are read for the first turn of every clip and label only."""
LONGEST_TEXT = 2000
"""Characters shown of a text; the trace keeps the rest."""

Texts = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class TurnRow:
    """One turn; `same_as` is an earlier turn of the same clip and label with the same texts, which stand there."""

    turn: int
    phase: str
    label: str
    utterance: str
    outcome: str
    first_ms: float | None
    heard_ms: float | None
    notes: str
    texts: Texts = ()
    same_as: int | None = None


def turn_rows(run: Run) -> tuple[TurnRow, ...]:
    """All turns in the order of the record (a turn's number is its place in the plan), none left out."""
    return tuple(_rows(run))


def texts_are_sampled(run: Run) -> bool:
    """Whether texts stand only with the first turn of every clip and label."""
    return len(run.turns) > ALL_TEXTS_UNTIL


def _rows(run: Run) -> Iterator[TurnRow]:
    shown: dict[tuple[str, str, Texts], int] = {}
    met: set[tuple[str, str]] = set()
    sampled = texts_are_sampled(run)
    said = {facts.id: facts.text for facts in run.manifest.utterances}
    for turn in run.turns:
        place = (turn.label, turn.utterance)
        if sampled and place in met:
            yield _row(turn)
            continue
        met.add(place)
        texts, problem = _texts(run, turn, said.get(turn.utterance))
        same_as = shown.setdefault((*place, texts), turn.turn) if texts else turn.turn
        if same_as == turn.turn:
            yield _row(turn, texts, problem=problem)
        else:
            yield _row(turn, same_as=same_as)


def _row(turn: Turn, texts: Texts = (), same_as: int | None = None, problem: str = "") -> TurnRow:
    return TurnRow(
        turn=turn.turn,
        phase=turn.phase,
        label=turn.label,
        utterance=turn.utterance,
        outcome=turn.outcome,
        first_ms=_ms(turn, HEADLINE),
        heard_ms=_ms(turn, "response_latency"),
        notes=", ".join(note for note in (*turn.flags, turn.reason, problem) if note),
        texts=texts,
        same_as=same_as,
    )


def _texts(run: Run, turn: Turn, said: str | None) -> tuple[Texts, str]:
    """What the clip says, the transcript and the reply; or why they cannot be read."""
    try:
        evidence = run.evidence(turn)
    except RunError:
        return (), "its trace is damaged"
    found = tuple((text.kind, _shortened(text.text)) for text in evidence.trace.texts if text.kind != "partial")
    return ((("clip", _shortened(said)), *found) if said and found else found), ""


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + " …"


def _ms(turn: Turn, name: str) -> float | None:
    ns = turn.figures.get(name)
    return None if ns is None else ns / NS_PER_MS
