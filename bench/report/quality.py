"""Latency and quality in one table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from firstpacket.bench.analysis.quality import BAD_WER, CLIPPED, MOST, error_rate, own_errors, rate_value
from firstpacket.bench.format import NONE, valued
from firstpacket.bench.metrics.definitions import FIRST_AUDIBLE, HEADLINE, TURN_METRICS, Metric, Quality
from firstpacket.bench.report.view import of_label
from firstpacket.bench.stats.bootstrap import Estimate
from firstpacket.bench.summary.contents import LabelSummary, Summary
from firstpacket.bench.summary.values import shown_unit
from firstpacket.bench.tables.cells import estimate, single, value
from firstpacket.bench.tables.table import Cell, Column, JsonPath, Table, rows, table, words
from firstpacket.bench.vocabulary import ANSWER_RULES


def quality_table(summary: Summary) -> Table:
    """One row per system."""
    scorers = dict.fromkeys(score.scorer for label in summary.labels for score in label.quality.scores)
    columns = (*COLUMNS, *map(_scorer, scorers))
    notes = [
        *_missing(summary),
        *_rules(summary),
        *dict.fromkeys(note for label in summary.labels for note in _notes(label)),
    ]
    return table("Latency and quality of the same turns", columns, [rows(columns, summary.labels)], notes=notes)


def _at(label: LabelSummary, *steps: str | int) -> JsonPath:
    return of_label(label, "quality", *steps)


def _median(name: str) -> Callable[[LabelSummary], Cell]:
    def cell(label: LabelSummary) -> Cell:
        return value(label.figures[name].p50, "ms", of_label(label, "figures", name, "p50"))

    return cell


def _is_hasty(label: LabelSummary) -> bool:
    found = label.quality.pace
    return found is not None and found.implausible > MOST * found.median.n


def _is_clipped(label: LabelSummary) -> bool:
    found = label.quality.audio
    return found is not None and found.clipped_share.value > CLIPPED


def _is_wrong(label: LabelSummary) -> bool:
    found = label.quality.answers.share
    return found is not None and found.value < BAD_WER


def _pooled(known: Metric, shown: Quality) -> Column[LabelSummary]:
    """A quality metric that is simply pooled over turns, as its definition says."""

    def found(label: LabelSummary) -> Estimate | None:
        return label.quality.figures.get(known.name)

    def is_bad(label: LabelSummary) -> bool:
        each = found(label)
        return each is not None and shown.is_bad(each.value)

    unit = shown.unit or shown_unit(known)
    return Column(shown.heading, lambda label: value(found(label), unit, _at(label, "figures", known.name)), is_bad)


def _scorer(name: str) -> Column[LabelSummary]:
    def cell(label: LabelSummary) -> Cell:
        for place, score in enumerate(label.quality.scores):
            if score.scorer == name:
                return estimate(score.mean, "ratio", _at(label, "scores", place, "mean"))
        return (NONE,)

    return Column(name, cell)


COLUMNS: tuple[Column[LabelSummary], ...] = (
    words("system", lambda label: label.label),
    Column("first packet", _median(HEADLINE)),
    Column("audible", _median(FIRST_AUDIBLE)),
    Column(
        "transcript WER",
        lambda label: estimate(label.quality.transcript.rate, "ratio", _at(label, "transcript", "rate")),
        lambda label: rate_value(label.quality.transcript) > BAD_WER,
    ),
    Column(
        "correct answers",
        lambda label: estimate(label.quality.answers.share, "rate", _at(label, "answers", "share")),
        _is_wrong,
    ),
    Column(
        "reply WER",
        lambda label: estimate(label.quality.reply.rate, "ratio", _at(label, "reply", "rate")),
        lambda label: rate_value(label.quality.reply) > BAD_WER,
    ),
    Column(
        "chars/s",
        lambda label: value(
            label.quality.pace.median if label.quality.pace else None, "per_s", _at(label, "pace", "median"), bare=True
        ),
        _is_hasty,
    ),
    *(_pooled(known, known.quality) for known in TURN_METRICS if known.quality and known.quality.heading),
    Column("audible end", lambda label: single(label.quality.audible_end, "share", _at(label, "audible_end"))),
    Column(
        "clipped",
        lambda label: value(
            label.quality.audio.clipped_share if label.quality.audio else None,
            "share",
            _at(label, "audio", "clipped_share"),
        ),
        _is_clipped,
    ),
)
"""Columns of every run; each scorer adds one."""


def _missing(summary: Summary) -> Iterator[str]:
    """Why there is no figure, once for all systems with the same reason."""
    reasons: dict[tuple[str, str], list[str]] = defaultdict(list)
    for label in summary.labels:
        found = label.quality
        for name, figure, why in (
            ("transcript WER", found.transcript.rate, found.transcript.reason),
            ("correct answers", found.answers.share, found.answers.reason),
            ("reply WER", found.reply.rate, found.reply.reason),
        ):
            if figure is None:
                reasons[name, why].append(label.label)
    for (name, why), labels in reasons.items():
        yield f"{name} of {', '.join(labels)}: n/a, {why}."


def _rules(summary: Summary) -> Iterator[str]:
    """By which rule answers are judged, and how long the replies are: a long one contains more."""
    rules = dict.fromkeys(rule for label in summary.labels for rule in label.quality.answers.rules)
    if not rules:
        return
    lengths = [
        f"{label.label} {valued(label.quality.answers.reply_words.value, 'count')}"
        for label in summary.labels
        if label.quality.answers.reply_words
    ]
    named = "; ".join(f"`{rule}`: {ANSWER_RULES[rule]}" for rule in rules)
    yield f"correct answers: share by rule {named}. Words per reply (median): {', '.join(lengths)}."
    if rules.keys() - {"equals"}:
        yield "Answers are judged by this rule alone; the figure is not the score that the data set's authors define."


def _notes(label: LabelSummary) -> Iterator[str]:
    found = label.quality
    for heard in found.recognisers[:-1]:
        wer = error_rate(heard.reply)
        yield f"{label.label}: reply WER {wer} measured with {heard.recogniser}, {own_errors(heard)}."
    if found.recognisers and found.reply.rate is not None:
        yield f"reply WER measured with {found.recognisers[-1].recogniser}, {own_errors(found.recognisers[-1])}."
    if found.pace and found.pace.implausible:
        yield f"{label.label}: implausible pace in {found.pace.implausible} of {found.pace.median.n} replies."
    for score in found.scores:
        yield f"{score.scorer}: from {score.lowest:g} to {score.highest:g}, higher is better."
