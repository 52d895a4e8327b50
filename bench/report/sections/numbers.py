"""Labels against metrics, with intervals and what is missing; differences; outcomes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from firstpacket.bench.compare.tables import differences
from firstpacket.bench.format import NONE
from firstpacket.bench.metrics.definitions import Shown, shown_in
from firstpacket.bench.record.schema import Outcome, Phase
from firstpacket.bench.report.section import Section
from firstpacket.bench.report.view import View, of_label
from firstpacket.bench.stats.quantiles import Quantile
from firstpacket.bench.summary.contents import OUTCOMES, PHASES, Figure, LabelSummary, Unit
from firstpacket.bench.summary.values import definition
from firstpacket.bench.tables.cells import single, span, value
from firstpacket.bench.tables.table import Cell, Column, Place, Row, Table, rows, table


def numbers(view: View) -> Section:
    """All metrics of all labels."""
    names = tuple(dict.fromkeys(name for label in view.summaries for name in label.figures))
    first = [known.name for known in shown_in(Shown.REPORT, names)]
    others = [name for name in names if name not in first]
    compared = view.contents.comparison
    tables = [*differences(compared, ("comparison",))] if compared else []
    tables.append(_metrics(view, first, "Metrics", folded=False))
    tables += [_metrics(view, others, f"{len(others)} more metrics", folded=True)] if others else []
    return Section("figures", "Figures", "", (*tables, _outcomes(view)))


class Line(NamedTuple):
    """One metric of one label."""

    title: str
    """Empty where the line above has it."""
    label: str
    unit: Unit
    p50: Cell
    span: Cell
    mean: Cell
    percentiles: Mapping[str, Quantile]
    at: Place
    """Where the percentiles stand."""
    n: Cell
    missing: Cell
    says: str = ""
    """From which event to which the metric counts."""


def _percentile(name: str) -> Column[Line]:
    return Column(name, lambda line: _quantile(line.percentiles[name], line.unit, (*line.at, name)))


METRICS: tuple[Column[Line], ...] = (
    Column("metric", lambda line: (line.title,), is_number=False),
    Column("label", lambda line: (line.label,), is_number=False),
    Column("p50", lambda line: line.p50),
    Column("95 % CI of p50", lambda line: line.span),
    Column("mean", lambda line: line.mean),
    *map(_percentile, ("p90", "p95", "p99")),
    Column("n", lambda line: line.n),
    Column("missing", lambda line: line.missing),
)


def _metrics(view: View, names: Sequence[str], caption: str, *, folded: bool) -> Table:
    return table(caption, METRICS, [tuple(_of_metric(view, name)) for name in names], folded=folded)


def _of_metric(view: View, name: str) -> Iterator[Row]:
    """A row per label that has it, and one more where turns without an answer count."""
    known = definition(name)
    says = f"{name}: from {known.start} to {known.end}"
    title = ""
    for label in view.summaries:
        if (found := label.figures.get(name)) is None:
            continue
        at = of_label(label, "figures", name)
        is_first, title = not title, f"{found.title}, {found.unit}" if found.unit in ("ms", "J") else found.title
        line = _line(label.label, found, at)
        line = line._replace(title=title, says=says) if is_first else line
        yield from rows(METRICS, [line], says=lambda line: line.says)
        if found.counting_all and found.n_missing:
            yield from rows(METRICS, [_counting_all(label.label, found, at)], kind="quiet")


def _line(label: str, found: Figure, at: Place) -> Line:
    return Line(
        "",
        label,
        found.unit,
        value(found.p50, found.unit, (*at, "p50"), bare=True),
        span(found.p50, found.unit, (*at, "p50")),
        single(found.mean, found.unit, (*at, "mean"), bare=True),
        found.percentiles,
        (*at, "percentiles"),
        single(found.n, "count", (*at, "n")),
        single(found.n_missing, "count", (*at, "n_missing")),
    )


def _counting_all(label: str, found: Figure, at: Place) -> Line:
    there = (*at, "counting_all")
    return Line(
        "",
        f"{label}, a turn without an answer taken as infinitely late",
        found.unit,
        _quantile(found.counting_all["p50"], found.unit, (*there, "p50")),
        (NONE,),
        (NONE,),
        found.counting_all,
        there,
        (str(found.n + found.n_missing),),
        ("0",),
    )


def _quantile(found: Quantile, unit: Unit, at: Place) -> Cell:
    """The percentile, or how many turns it would need: `n/a (n=50 < 662)`."""
    if found.value is None:
        return (f"n/a ({found.shortfall})" if found.n else NONE,)
    return single(found.value, unit, (*at, "value"), bare=True)


class Turns(NamedTuple):
    """A label's turns of one phase."""

    label: LabelSummary
    phase: Phase

    @property
    def is_measured(self) -> bool:
        """Only of these more is known than their outcomes."""
        return self.phase == "measured"


def _outcome(name: Outcome) -> Column[Turns]:
    def cell(turns: Turns) -> Cell:
        n = turns.label.outcomes[turns.phase][name]
        return single(n, "count", of_label(turns.label, "outcomes", turns.phase, name))

    return Column(name, cell)


def _audible(turns: Turns) -> Cell:
    share = turns.label.audible_share
    return single(share, "share", of_label(turns.label, "audible_share")) if turns.is_measured else ("",)


def _flags(turns: Turns) -> Cell:
    return (", ".join(f"{n} {flag}" for flag, n in turns.label.flags.items()) if turns.is_measured else "",)


OUTCOMES_OF_TURNS: tuple[Column[Turns], ...] = (
    Column("label", lambda turns: (turns.label.label,), is_number=False),
    Column("phase", lambda turns: (turns.phase,), is_number=False),
    *map(_outcome, OUTCOMES),
    Column("audible", _audible),
    Column("flags", _flags, is_number=False),
)


def _outcomes(view: View) -> Table:
    groups = [
        [Turns(label, phase) for phase in PHASES if any(label.outcomes[phase].values()) or phase == "measured"]
        for label in view.summaries
    ]
    note = "Every turn on record, counted once."
    return table("Outcomes", OUTCOMES_OF_TURNS, [rows(OUTCOMES_OF_TURNS, group) for group in groups], notes=(note,))
