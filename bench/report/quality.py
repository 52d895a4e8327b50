"""Latency and quality in one table, the same in the terminal and in the report, and what nobody should miss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from firstpacket.bench.metrics.definitions import FIRST_AUDIBLE, HEADLINE
from firstpacket.bench.quality.findings import Accuracy, ErrorRate, HeardBy
from firstpacket.bench.report.words import NONE, estimated, interval, valued
from firstpacket.bench.summary.contents import LabelSummary, Summary

TITLE = "latency and quality of the same turns"
BAD_WER = 0.5
"""From here on more is wrong than right."""
MOST = 0.5
"""Share of the turns."""
CLIPPED = 0.001
"""Share of samples at full scale from which on clipping is heard as such."""
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


def quality_notices(label: LabelSummary) -> Iterator[str]:
    """What nobody should miss who reads the label's latency."""
    name, found = label.label, label.quality
    heard = found.heard[-1] if found.heard else None
    if label.audible_share is not None and label.audible_share < MOST:
        yield f"{name} is silent: something can be heard in {label.audible_share:.0%} of its measured turns."
    elif heard and _value(heard.reply) > BAD_WER:
        yield (
            f"{name} cannot be understood by {heard.recogniser}, {_own(heard)}: reply WER {_rate(heard.reply)}, "
            f"{heard.words_heard} words heard of {heard.reply.words}. Either what it says is no speech, or the "
            "recogniser does not know the voice: listen to the run's audio before believing the latency."
        )
    if _value(found.transcript) > BAD_WER:
        yield f"{name} mishears: transcript WER {_rate(found.transcript)}. It answered something else than was asked."
    if found.pace and found.pace.implausible > MOST * found.pace.median.n:
        pace = valued(found.pace.median.value, "per_s")
        yield (
            f"{name} speaks at an implausible pace in {found.pace.implausible} of {found.pace.median.n} replies "
            f"(median {pace} letters and digits): what is heard is hardly its text."
        )
    if found.audio and found.audio.clipped_share.value > CLIPPED:
        yield f"{name} is clipped: {found.audio.clipped_share.value:.1%} of its samples stand at full scale."


def _row(label: LabelSummary, scorers: Sequence[str]) -> QualityRow:
    found, pace, audio = label.quality, label.quality.pace, label.quality.audio
    scores = {score.scorer: score for score in found.scores}
    cells = (
        *(_median(label, name) for name in (HEADLINE, FIRST_AUDIBLE)),
        _rate(found.transcript),
        _accuracy(found.answers),
        _rate(found.reply),
        valued(pace.median.value, "per_s").removesuffix("/s") if pace else NONE,
        f"{found.silence.value:.0%}" if found.silence else NONE,
        f"{found.ends_loud:.0%}" if found.ends_loud is not None else NONE,
        f"{audio.clipped_share.value:.2%}" if audio else NONE,
        *(estimated(scores[name].mean, "ratio") if name in scores else NONE for name in scorers),
    )
    trouble = {
        2: _value(found.transcript) > BAD_WER,
        3: found.answers.share is not None and found.answers.share.value < BAD_WER,
        4: _value(found.reply) > BAD_WER,
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
        yield f"{label.label}: reply WER {_rate(heard.reply)} as heard by {heard.recogniser}, {_own(heard)}"
    if found.heard and found.reply.rate is not None:
        yield f"reply WER as heard by {found.heard[-1].recogniser}, {_own(found.heard[-1])}"
    if found.pace and found.pace.implausible:
        yield f"{label.label}: implausible pace in {found.pace.implausible} of {found.pace.median.n} replies"
    for score in found.scores:
        yield f"{score.scorer}: from {score.least:g} to {score.most:g}, higher is better"


def _own(heard: HeardBy) -> str:
    """How much of its figure may be the recogniser's own fault."""
    if heard.own.rate is None:
        return f"whose own errors are not known ({heard.own.why_none})"
    return f"whose own WER on the corpus' clips is {_rate(heard.own)}"


def _median(label: LabelSummary, name: str) -> str:
    figure = label.figures[name]
    return valued(figure.p50.value if figure.p50 else None, figure.unit)


def _rate(found: ErrorRate) -> str:
    """As a share with its interval, where there is one."""
    if found.rate is None:
        return "n/a"
    if found.rate.interval is None:
        return f"{found.rate.value:.3f}"
    return f"{found.rate.value:.3f} [{interval(found.rate, 'ratio').replace(' to ', ', ')}]"


def _accuracy(found: Accuracy) -> str:
    """As a share with its interval."""
    if found.share is None:
        return "n/a"
    return f"{found.share.value:.1%} [{found.share.interval.low:.1%}, {found.share.interval.high:.1%}]"


def _value(found: ErrorRate) -> float:
    return found.rate.value if found.rate else 0.0
