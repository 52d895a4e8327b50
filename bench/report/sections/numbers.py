"""Metrics by system, with intervals and missing turns; differences; outcomes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

from firstpacket.bench.compare.tables import differences
from firstpacket.bench.format import NONE
from firstpacket.bench.metrics.definitions import Shown, shown_in
from firstpacket.bench.record.schema import Phase
from firstpacket.bench.report.section import Section
from firstpacket.bench.report.servers import reasons_table
from firstpacket.bench.report.view import View, of_label
from firstpacket.bench.stats.quantiles import Quantile
from firstpacket.bench.summary.contents import PHASES, Figure, LabelSummary
from firstpacket.bench.summary.values import definition
from firstpacket.bench.tables.cells import single, span, value
from firstpacket.bench.tables.table import Cell, Column, JsonPath, Row, Table, rows, table, words
from firstpacket.bench.vocabulary import Outcome, shown_outcomes


def numbers(view: View) -> Section:
    """All metrics of all systems."""
    names = tuple(dict.fromkeys(name for label in view.summaries for name in label.figures))
    first = [known.name for known in shown_in(Shown.REPORT, names)]
    others = [name for name in names if name not in first]
    compared = view.contents.comparison
    tables = [*differences(compared, ("comparison",))] if compared else []
    tables.append(_metrics(view, first, "Main metrics", folded=False))
    tables += [_metrics(view, others, f"{len(others)} more metrics", folded=True)] if others else []
    reasons = reasons_table(view.contents.summary)
    return Section("figures", "Metrics", "", (*tables, _outcomes(view), *([reasons] if reasons.rows else [])))


class Line(NamedTuple):
    """One metric of one system; `counts_all`: a turn without an answer counts as infinitely late."""

    label: LabelSummary
    found: Figure
    is_first: bool
    """Whether it is the first line of its metric, and shows its title."""
    counts_all: bool = False

    def at(self, *steps: str) -> JsonPath:
        """Its place in the JSON, and what lies below it."""
        return of_label(self.label, "figures", self.found.metric, *steps)


def _title(line: Line) -> str:
    found = line.found
    if not line.is_first:
        return ""
    return f"{found.title}, {found.unit}" if found.unit in ("ms", "J") else found.title


def _says(line: Line) -> str:
    known = definition(line.found.metric)
    return f"{known.name}: from {known.start} to {known.end}" if line.is_first else ""


def _p50(line: Line) -> Cell:
    if line.counts_all:
        return _percentile(line, "p50")
    return value(line.found.p50, line.found.unit, line.at("p50"), bare=True)


def _percentile(line: Line, name: str) -> Cell:
    """The percentile, or how many turns it would need: `n/a (n=50 < 662)`."""
    kind = "counting_all" if line.counts_all else "percentiles"
    found: Quantile = getattr(line.found, kind)[name]
    if found.value is None:
        return (f"n/a ({found.shortfall})" if found.n else NONE,)
    return single(found.value, line.found.unit, line.at(kind, name, "value"), bare=True)


def _n(line: Line) -> Cell:
    found = line.found
    return (str(found.n + found.n_missing),) if line.counts_all else single(found.n, "count", line.at("n"))


def _missing(line: Line) -> Cell:
    return ("0",) if line.counts_all else single(line.found.n_missing, "count", line.at("n_missing"))


LATE = ", unanswered turns counted as infinitely late"
METRICS: tuple[Column[Line], ...] = (
    words("metric", _title),
    words("system", lambda line: line.label.label + (LATE if line.counts_all else "")),
    Column("p50", _p50),
    Column(
        "95 % CI of p50",
        lambda line: (NONE,) if line.counts_all else span(line.found.p50, line.found.unit, line.at("p50")),
    ),
    Column(
        "mean",
        lambda line: (
            (NONE,) if line.counts_all else single(line.found.mean, line.found.unit, line.at("mean"), bare=True)
        ),
    ),
    *(Column[Line](name, partial(_percentile, name=name)) for name in ("p90", "p95", "p99")),
    Column("n", _n),
    Column("missing", _missing),
)


def _metrics(view: View, names: Sequence[str], caption: str, *, folded: bool) -> Table:
    return table(caption, METRICS, [tuple(_of_metric(view, name)) for name in names], folded=folded)


def _of_metric(view: View, name: str) -> Iterator[Row]:
    """A row per system that has it, and one more where turns without an answer count."""
    having = [(label, label.figures[name]) for label in view.summaries if name in label.figures]
    for place, (label, found) in enumerate(having):
        yield from rows(METRICS, [Line(label, found, place == 0)], says=_says)
        if found.counting_all and found.n_missing:
            yield from rows(METRICS, [Line(label, found, False, counts_all=True)], kind="quiet")


class Turns(NamedTuple):
    """A system's turns of one phase."""

    label: LabelSummary
    phase: Phase

    @property
    def is_measured(self) -> bool:
        """Only for these more than the outcomes is known."""
        return self.phase == "measured"


def _outcome(name: Outcome) -> Column[Turns]:
    def cell(turns: Turns) -> Cell:
        n = turns.label.outcomes[turns.phase][name]
        return single(n, "count", of_label(turns.label, "outcomes", turns.phase, name))

    return Column(name, cell)


def _audible(turns: Turns) -> Cell:
    share = turns.label.audible_share
    return single(share, "share", of_label(turns.label, "audible_share")) if turns.is_measured else ("",)


def _flags(turns: Turns) -> str:
    return ", ".join(f"{n} {flag}" for flag, n in turns.label.flags.items()) if turns.is_measured else ""


def _columns(view: View) -> tuple[Column[Turns], ...]:
    shown = shown_outcomes(counts for label in view.summaries for counts in label.outcomes.values())
    return (
        words("system", lambda turns: turns.label.label),
        words("phase", lambda turns: turns.phase),
        *map(_outcome, shown),
        Column("audible", _audible),
        words("flags", _flags),
    )


def _outcomes(view: View) -> Table:
    groups = [
        [Turns(label, phase) for phase in PHASES if any(label.outcomes[phase].values()) or phase == "measured"]
        for label in view.summaries
    ]
    columns, note = _columns(view), "Every turn on record, counted once."
    return table("Outcomes", columns, [rows(columns, group) for group in groups], notes=(note,))
