"""Latency and quality in one table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from firstpacket.bench.analysis.quality import BAD_WER, CLIPPED, MOST, error_rate, own_errors, rate_value
from firstpacket.bench.format import NONE, valued
from firstpacket.bench.metrics.definitions import FIRST_AUDIBLE, HEADLINE, TURN_METRICS, Metric, Quality
from firstpacket.bench.report.view import column, of_label
from firstpacket.bench.summary.contents import LabelSummary, Summary
from firstpacket.bench.summary.values import shown_unit
from firstpacket.bench.tables.cells import estimate, single, value
from firstpacket.bench.tables.table import Cell, Column, Table, rows, table, words
from firstpacket.bench.vocabulary import ANSWER_RULES, AnswerRule

CORRECT = "correct answers"


def quality_table(summary: Summary) -> Table:
    """One row per system."""
    scorers = dict.fromkeys(score.scorer for label in summary.labels for score in label.quality.scores)
    columns = (*(_with_rules(each, summary) for each in COLUMNS), *map(_scorer, scorers))
    notes = [
        *_missing(summary),
        *_explained(summary),
        *dict.fromkeys(note for label in summary.labels for note in _notes(label)),
    ]
    return table("Latency and quality of the same turns", columns, [rows(columns, summary.labels)], notes=notes)


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

    def is_bad(label: LabelSummary) -> bool:
        found = label.quality.figures.get(known.name)
        return found is not None and shown.is_bad(found.value)

    unit = shown.unit or shown_unit(known)
    return column(shown.heading, value, unit, "quality", "figures", known.name, is_bad=is_bad)


def _scorer(name: str) -> Column[LabelSummary]:
    def cell(label: LabelSummary) -> Cell:
        for place, score in enumerate(label.quality.scores):
            if score.scorer == name:
                return estimate(score.mean, "ratio", of_label(label, "quality", "scores", place, "mean"))
        return (NONE,)

    return Column(name, cell)


COLUMNS: tuple[Column[LabelSummary], ...] = (
    words("system", lambda label: label.label),
    column("first packet", value, "ms", "figures", HEADLINE, "p50"),
    column("audible", value, "ms", "figures", FIRST_AUDIBLE, "p50"),
    column(
        "transcript WER",
        estimate,
        "ratio",
        *("quality", "transcript", "rate"),
        is_bad=lambda label: rate_value(label.quality.transcript) > BAD_WER,
    ),
    column(CORRECT, estimate, "rate", "quality", "answers", "share", is_bad=_is_wrong),
    column(
        "reply WER",
        estimate,
        "ratio",
        *("quality", "reply", "rate"),
        is_bad=lambda label: rate_value(label.quality.reply) > BAD_WER,
    ),
    column("chars/s", value, "per_s", "quality", "pace", "median", is_bad=_is_hasty, bare=True),
    *(_pooled(known, known.quality) for known in TURN_METRICS if known.quality and known.quality.heading),
    column("audible end", single, "share", "quality", "audible_end"),
    column("clipped", value, "share", "quality", "audio", "clipped_share", is_bad=_is_clipped),
)
"""Columns of every run; each scorer adds one."""


def _missing(summary: Summary) -> Iterator[str]:
    """Why there is no figure, once for all systems with the same reason."""
    reasons: dict[tuple[str, str], list[str]] = defaultdict(list)
    for label in summary.labels:
        found = label.quality
        for name, figure, why in (
            ("transcript WER", found.transcript.rate, found.transcript.reason),
            (CORRECT, found.answers.share, found.answers.reason),
            ("reply WER", found.reply.rate, found.reply.reason),
        ):
            if figure is None:
                reasons[name, why].append(label.label)
    for (name, why), labels in reasons.items():
        yield f"{name} of {', '.join(labels)}: n/a, {why}."


def _rules(summary: Summary) -> tuple[AnswerRule, ...]:
    """The rules by which answers are judged."""
    return tuple(dict.fromkeys(rule for label in summary.labels for rule in label.quality.answers.rules))


def _with_rules(each: Column[LabelSummary], summary: Summary) -> Column[LabelSummary]:
    """The column of correct answers names their rules; a column of anything else is as it was."""
    rules = _rules(summary)
    return replace(each, heading=f"{CORRECT} ({', '.join(rules)})") if rules and each.heading == CORRECT else each


def _explained(summary: Summary) -> Iterator[str]:
    """What the rules are, and how long the replies are: a long one contains more."""
    rules = _rules(summary)
    if not rules:
        return
    lengths = [
        f"{label.label} {valued(label.quality.answers.reply_words.value, 'count')}"
        for label in summary.labels
        if label.quality.answers.reply_words
    ]
    named = "; ".join(f"`{rule}`: {ANSWER_RULES[rule]}" for rule in rules)
    yield f"{CORRECT}: share of replies judged right by rule {named}. Words per reply (median): {', '.join(lengths)}."
    if set(rules) - {"equals"}:
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
