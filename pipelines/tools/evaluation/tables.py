"""The figures as tables: for the terminal, and in Markdown for a model card."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rich.console import Console

from firstpacket.bench.format import NONE, counted
from firstpacket.bench.quality.findings import ErrorRate
from firstpacket.bench.tables.cells import estimate, single
from firstpacket.bench.tables.markdown import Bounds, escaped, table_lines
from firstpacket.bench.tables.table import Cell, Column, Table, rows, table, text, words
from firstpacket.bench.tables.terminal import TerminalTable
from firstpacket.pipelines.tools.evaluation.figures import Baseline, Compared, Figures, LabelFigures, Pairs

BOUNDS = Bounds()


class Constant(NamedTuple):
    """What is right without listening."""

    title: str
    right: Cell
    answer: str


def show(found: Figures) -> None:
    """Print what was asked, and all tables."""
    console = Console(highlight=False)
    console.print(exam(found), markup=False, soft_wrap=True)
    for each in tables(found):
        console.print(TerminalTable(each))


def markdown(found: Figures) -> str:
    """What was asked, all tables, and the command that made them."""
    lines = [escaped(exam(found), BOUNDS.characters), ""]
    for each in tables(found):
        lines += table_lines(each, BOUNDS)
    made = f"Made by `{shlex.join(found.command)}`; manifest of the corpus: SHA-256 `{found.corpus}`."
    return "\n".join([*lines, made]) + "\n"


def exam(found: Figures) -> str:
    """What was asked."""
    return (
        f"{counted(found.clips, 'clip')} of the split `{found.split}`: {counted(found.texts, 'text')}, "
        f"{counted(found.voices, 'voice')}; the texts of {counted(found.new_texts, 'clip')} were never trained on. "
        "95 % intervals in brackets."
    )


def tables(found: Figures) -> Iterator[Table]:
    """Labels, what is right without listening, pairs of labels, and labels by group of clips."""
    yield _labels(found)
    yield from _against_first(found)
    yield _constants(found)
    yield from _passed_down(found)
    for name in found.labels[0].groups:
        yield _group(found, name)


def _labels(found: Figures) -> Table:
    recogniser = next((label.heard.recogniser for label in found.labels if label.heard), "nobody")
    columns: tuple[Column[LabelFigures], ...] = (
        words("system", lambda label: label.label),
        Column("right answers", lambda label: estimate(label.right, "rate")),
        Column("transcript WER", lambda label: _rate(label.transcript_wer)),
        Column(f"reply WER by {recogniser}", lambda label: _rate(label.heard.reply if label.heard else None)),
        Column("replies heard", lambda label: single(_heard(label), "count")),
        words("not answered", lambda label: _unanswered(label)),
    )
    notes = []
    if found.answer_voice is not None:
        n, rate = found.answer_voice.rate.n if found.answer_voice.rate else 0, text(_rate(found.answer_voice))
        notes.append(f"The same recogniser on {n} recordings of the answer voice itself: {rate}.")
    return table("Labels", columns, [rows(columns, found.labels)], notes=notes)


def _constants(found: Figures) -> Table:
    columns: tuple[Column[Constant], ...] = (
        words("without listening", lambda each: each.title),
        Column("right answers", lambda each: each.right),
        words("answer", lambda each: each.answer),
    )
    best = "most frequent answer of these clips: no constant answer is right more often"
    constants = (
        _constant("most frequent training answer", found.commonest),
        _constant(best, found.best_constant),
        *(each for label in found.labels for each in _unheard(label)),
    )
    return table("Without listening", columns, [rows(columns, constants)])


def _unheard(label: LabelFigures) -> Iterator[Constant]:
    yield _constant(f"{label.label} hearing silence", label.to_silence)
    if label.to_nothing is not None:
        yield _constant(f"language model of {label.label}, no question", label.to_nothing)
    yield Constant(f"{label.label}, replies shuffled over other clips", single(label.other_clips, "rate"), NONE)


def _constant(title: str, found: Baseline) -> Constant:
    return Constant(title, estimate(found.right, "rate"), found.answer or "nothing")


def _against_first(found: Figures) -> Iterable[Table]:
    first = found.labels[0].label
    columns: tuple[Column[Compared], ...] = (
        words("system", lambda each: each.second),
        Column("right answers", lambda each: estimate(each.pairs.difference, "points", signed=True)),
        Column(f"only {first} right", lambda each: single(each.pairs.only_first, "count")),
        Column("only this system right", lambda each: single(each.pairs.only_second, "count")),
        Column("p (McNemar)", lambda each: (f"{each.pairs.p:.2g}",)),
        Column("reply WER", lambda each: estimate(each.reply_wer, "points", signed=True)),
    )
    title = f"Difference from {first} on the same clips"
    return [table(title, columns, [rows(columns, found.against_first)])] if found.against_first else []


def _passed_down(found: Figures) -> Iterable[Table]:
    columns: tuple[Column[tuple[str, Pairs]], ...] = (
        words("on the same clips", lambda row: row[0]),
        Column("clips", lambda row: single(row[1].n, "count")),
        Column("first right", lambda row: _of(row[1].first_right, row[1].n)),
        Column("second right", lambda row: _of(row[1].second_right, row[1].n)),
        Column("only first", lambda row: single(row[1].only_first, "count")),
        Column("only second", lambda row: single(row[1].only_second, "count")),
        Column("p (McNemar)", lambda row: (f"{row[1].p:.2g}" if row[1].n else NONE,)),
    )
    groups = [
        rows(
            columns,
            (
                (f"{each.transcribing}, {each.direct}: {each.transcribing} heard right", each.heard_right),
                (f"{each.transcribing}, {each.direct}: {each.transcribing} misheard", each.heard_wrong),
            ),
        )
        for each in found.passed_down
    ]
    return [table("Error propagation", columns, groups)] if groups else []


def _group(found: Figures, name: str) -> Table:
    def right(label: LabelFigures) -> Column[str]:
        return Column(f"{label.label} right", lambda member: estimate(label.groups[name][member].right, "rate"))

    def wer(label: LabelFigures) -> Column[str]:
        return Column(f"{label.label} transcript WER", lambda member: _rate(label.groups[name][member].transcript_wer))

    members = dict.fromkeys(member for label in found.labels for member in label.groups[name])
    columns: list[Column[str]] = [
        words(name, lambda member: member or "not stated"),
        Column("clips", lambda member: single(found.labels[0].groups[name][member].right.n, "count")),
    ]
    columns += [*map(right, found.labels), *map(wer, found.labels)]
    return table(f"By {name}", columns, [rows(columns, members)])


def _heard(label: LabelFigures) -> int:
    return label.heard.reply.rate.n if label.heard and label.heard.reply.rate else 0


def _unanswered(label: LabelFigures) -> str:
    others = {name: n for name, n in sorted(label.outcomes.items()) if name != "answered"}
    return ", ".join(f"{n} {name}" for name, n in others.items()) or "none"


def _of(right: int, n: int) -> Cell:
    return (*single(right, "count"), " (", *single(right / n, "rate"), ")") if n else ("0",)


def _rate(found: ErrorRate | None) -> Cell:
    return estimate(found.rate if found else None, "rate")
