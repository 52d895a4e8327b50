"""Labels against metrics, with intervals and what is missing; differences; outcomes."""

from __future__ import annotations

from collections.abc import Sequence

from firstpacket.bench.compare.tables import differences
from firstpacket.bench.format import NONE, Unit
from firstpacket.bench.metrics.definitions import Shown, shown_in
from firstpacket.bench.report.section import Section
from firstpacket.bench.report.view import View
from firstpacket.bench.summary.contents import OUTCOMES, PHASES
from firstpacket.bench.summary.values import definition
from firstpacket.bench.tables.table import Cell, Heading, Place, Row, Table

PERCENTILES = ("p90", "p95", "p99")


def numbers(view: View) -> Section:
    """All metrics of all labels."""
    names = view.metrics()
    first = [known.name for known in shown_in(Shown.REPORT, names)]
    others = [name for name in names if name not in first]
    compared = view.contents.comparison
    tables = [
        *(differences(compared, ("comparison",)) if compared else ()),
        _metrics(view, first, "Metrics", folded=False),
    ]
    tables += [_metrics(view, others, f"{len(others)} more metrics", folded=True)] if others else []
    return Section("figures", "Figures", "", (*tables, _outcomes(view)))


def _metrics(view: View, names: Sequence[str], caption: str, *, folded: bool) -> Table:
    columns = ("p50", "95 % CI of p50", "mean", *PERCENTILES, "n", "missing")
    return Table(
        caption,
        (Heading("metric", is_number=False), Heading("label", is_number=False), *map(Heading, columns)),
        tuple(tuple(_rows(view, name)) for name in names),
        folded=folded,
    )


def _rows(view: View, name: str) -> list[Row]:
    rows: list[Row] = []
    for label, at in view.having(name):
        found = view.figures.value(at)
        unit = found["unit"]
        title = f"{found['title']}, {unit}" if unit in ("ms", "J") else found["title"]
        known = definition(name)
        says = f"{name}: from {known.start} to {known.end}"
        cells = (
            (title if not rows else "",),
            (label,),
            view.figures.number((*at, "p50", "value"), unit, bare=True) if found["p50"] else (NONE,),
            view.figures.interval((*at, "p50"), unit),
            view.figures.number((*at, "mean"), unit, bare=True),
            *(_percentile(view, (*at, "percentiles", percentile), unit) for percentile in PERCENTILES),
            view.figures.number((*at, "n"), "count"),
            view.figures.number((*at, "n_missing"), "count"),
        )
        rows.append(Row(cells, says=says if not rows else ""))
        if found["counting_all"] and found["n_missing"]:
            rows.append(_counting_all(view, at, label))
    return rows


def _counting_all(view: View, at: Place, label: str) -> Row:
    found = view.figures.value(at)
    cells: tuple[Cell, ...] = (
        ("",),
        (f"{label}, a turn without an answer taken as infinitely late",),
        _percentile(view, (*at, "counting_all", "p50"), found["unit"]),
        (NONE,),
        (NONE,),
        *(_percentile(view, (*at, "counting_all", percentile), found["unit"]) for percentile in PERCENTILES),
        (str(found["n"] + found["n_missing"]),),
        ("0",),
    )
    return Row(cells, kind="quiet")


def _percentile(view: View, at: Place, unit: Unit) -> Cell:
    """The percentile, or how many turns it would need: `n/a (n=50 < 662)`."""
    found = view.figures.value(at)
    if found["value"] is not None:
        return view.figures.number((*at, "value"), unit, bare=True)
    return (f"n/a (n={found['n']} < {found['needs']})",) if found["n"] else (NONE,)


def _outcomes(view: View) -> Table:
    groups = []
    for label in view.labels:
        at = view.of_label(label)
        found = view.figures.value((*at, "outcomes"))
        rows = [_phase(view, at, phase, label) for phase in PHASES if any(found[phase].values()) or phase == "measured"]
        groups.append(tuple(rows))
    columns = (Heading("label", is_number=False), Heading("phase", is_number=False), *map(Heading, OUTCOMES))
    return Table(
        "Outcomes",
        (*columns, Heading("audible"), Heading("flags", is_number=False)),
        tuple(groups),
        ("Every turn on record, counted once.",),
    )


def _phase(view: View, at: Place, phase: str, label: str) -> Row:
    counts = [view.figures.number((*at, "outcomes", phase, outcome), "count") for outcome in OUTCOMES]
    measured = phase == "measured"
    flags = ", ".join(f"{n} {flag}" for flag, n in view.figures.value((*at, "flags")).items())
    audible = view.figures.number((*at, "audible_share"), "share") if measured else ("",)
    return Row(((label,), (phase,), *counts, audible, (flags if measured else "",)))
