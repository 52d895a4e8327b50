"""Latency and quality in one table, the same in the terminal and in the report, and what nobody should miss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from firstpacket.bench.analysis.quality import BAD_WER, CLIPPED, MOST, error_rate, own_errors, rate_value
from firstpacket.bench.metrics.definitions import FIRST_AUDIBLE, HEADLINE
from firstpacket.bench.quality.findings import Accuracy
from firstpacket.bench.report.words import NONE, estimated, valued
from firstpacket.bench.summary.contents import LabelSummary, Summary

TITLE = "latency and quality of the same turns"
SILENT = (NONE, "n/a", "0.00%")
"""Cells that need no column of their own: the notes say why there is no figure."""
COLUMNS = (
    "first packet",
    "audible",
    "transcript WER",
    "right answers",
    "reply WER",
    "chars/s",
    "silent",
    "ends loud",
    "clipped",
)


@dataclass(frozen=True, slots=True)
class QualityRow:
    """One label's cells, in the order of `QualityTable.columns`; `bad` are the places of those that tell of trouble."""

    label: str
    cells: tuple[str, ...]
    bad: frozenset[int]


@dataclass(frozen=True, slots=True)
class QualityTable:
    """All labels, and what the cells alone do not say."""

    columns: tuple[str, ...]
    rows: tuple[QualityRow, ...]
    notes: tuple[str, ...]
    scorers: tuple[str, ...]
    """Whose columns are the last ones."""


def quality(summary: Summary) -> QualityTable:
    """Latency and quality of every label."""
    scorers = tuple(dict.fromkeys(score.scorer for label in summary.labels for score in label.quality.scores))
    return QualityTable(
        (*COLUMNS, *scorers),
        tuple(_row(label, scorers) for label in summary.labels),
        tuple(dict.fromkeys(note for label in summary.labels for note in _notes(label))),
        scorers,
    )


def quality_table(summary: Summary) -> Table:
    """The same for the terminal, where intervals have no room, nor columns that say nothing of any label."""
    found = quality(summary)
    telling = [
        place for place in range(len(found.columns)) if any(row.cells[place] not in SILENT for row in found.rows)
    ]
    table = Table(title=TITLE, title_justify="left", caption_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.collapse_padding = True
    table.add_column("label", overflow="fold")
    for place in telling:
        table.add_column(Text(found.columns[place].replace(" ", "\n")), justify="right", no_wrap=True)
    for row in found.rows:
        short = ((place, row.cells[place].partition(" [")[0]) for place in telling)
        cells = (Text(cell, style="bold red" if place in row.bad else "") for place, cell in short)
        table.add_row(Text(row.label), *cells)
    if found.notes:
        table.caption = Text("\n".join(found.notes))
    return table


def _row(label: LabelSummary, scorers: Sequence[str]) -> QualityRow:
    found, pace, audio = label.quality, label.quality.pace, label.quality.audio
    scores = {score.scorer: score for score in found.scores}
    cells = (
        *(_median(label, name) for name in (HEADLINE, FIRST_AUDIBLE)),
        error_rate(found.transcript),
        _accuracy(found.answers),
        error_rate(found.reply),
        valued(pace.median.value, "per_s").removesuffix("/s") if pace else NONE,
        f"{found.silence.value:.0%}" if found.silence else NONE,
        f"{found.ends_loud:.0%}" if found.ends_loud is not None else NONE,
        f"{audio.clipped_share.value:.2%}" if audio else NONE,
        *(estimated(scores[name].mean, "ratio") if name in scores else NONE for name in scorers),
    )
    trouble = {
        2: rate_value(found.transcript) > BAD_WER,
        3: found.answers.share is not None and found.answers.share.value < BAD_WER,
        4: rate_value(found.reply) > BAD_WER,
        5: pace is not None and pace.implausible > MOST * pace.median.n,
        6: found.silence is not None and found.silence.value > MOST,
        8: audio is not None and audio.clipped_share.value > CLIPPED,
    }
    return QualityRow(label.label, cells, frozenset(place for place, is_bad in trouble.items() if is_bad))


def _notes(label: LabelSummary) -> Iterator[str]:
    found = label.quality
    if found.transcript.rate is None:
        yield f"transcript WER of {label.label}: n/a, {found.transcript.why_none}"
    if found.answers.share is None:
        yield f"right answers: n/a, {found.answers.why_none}"
    if found.reply.rate is None:
        yield f"reply WER of {label.label}: n/a, {found.reply.why_none}"
    for heard in found.heard[:-1]:
        yield f"{label.label}: reply WER {error_rate(heard.reply)} as heard by {heard.recogniser}, {own_errors(heard)}"
    if found.heard and found.reply.rate is not None:
        yield f"reply WER as heard by {found.heard[-1].recogniser}, {own_errors(found.heard[-1])}"
    if found.pace and found.pace.implausible:
        yield f"{label.label}: implausible pace in {found.pace.implausible} of {found.pace.median.n} replies"
    for score in found.scores:
        yield f"{score.scorer}: from {score.least:g} to {score.most:g}, higher is better"


def _median(label: LabelSummary, name: str) -> str:
    figure = label.figures[name]
    return valued(figure.p50.value if figure.p50 else None, figure.unit)


def _accuracy(found: Accuracy) -> str:
    """As a share with its interval."""
    if found.share is None:
        return "n/a"
    return f"{found.share.value:.1%} [{found.share.interval.low:.1%}, {found.share.interval.high:.1%}]"
