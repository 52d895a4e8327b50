"""A run in Markdown for people who read it in CI, such as in the file that GITHUB_STEP_SUMMARY names.

GitHub drops a step's summary above 1 MiB whole. Everything here is bounded so that the page stays below that.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from firstpacket.bench.analysis.answer import Answer, answer
from firstpacket.bench.compare.within import compare_all
from firstpacket.bench.format import NONE, percentile
from firstpacket.bench.metrics.definitions import FIRST_AUDIBLE, HEADLINE, Metric, Shown, shown_in
from firstpacket.bench.record.store import Run
from firstpacket.bench.summary.contents import LabelSummary, Summary
from firstpacket.bench.summary.path import ROLES
from firstpacket.bench.summary.summarise import summarise
from firstpacket.bench.tables.cells import estimate, single
from firstpacket.bench.tables.markdown import Bounds, escaped, table_lines
from firstpacket.bench.tables.table import Cell, Column, Table, rows, table

BOUNDS = Bounds(rows=200, characters=200)
MOST_ITEMS, LONGEST_ITEM = 100, 1000
"""Bounds: 4 lists of 100 items and 2 tables of 200 rows stay below 1 MiB whatever characters they hold."""


def markdown(run: Run) -> str:
    """The page: what the run says in a sentence, its tables, and what to know. Raises `RunError` as `summarise`."""
    summary = summarise(run)
    first, heard = ((), ()) if summary.invalid else (compare_all(run), compare_all(run, FIRST_AUDIBLE))
    said = answer(run, summary, first, heard)
    lines = [
        f"## Latency: {escaped(summary.run, BOUNDS.characters)}",
        "",
        *_headlines(said),
        "",
        escaped(said.measured_on, LONGEST_ITEM),
        "",
        *table_lines(_metrics(summary), BOUNDS),
        *table_lines(_path(summary), BOUNDS),
    ]
    if said.notices:
        lines += ["### To know", "", *_items(said.notices)]
    return "\n".join(lines) + "\n"


def _headlines(said: Answer) -> list[str]:
    return _items(f"{each}." for each in said.headlines)


def _items(texts: Iterable[str]) -> list[str]:
    listed = list(texts)
    lines = [f"- {escaped(text, LONGEST_ITEM)}" for text in listed[:MOST_ITEMS]]
    return lines if len(listed) <= MOST_ITEMS else [*lines, f"- {len(listed) - MOST_ITEMS} more are left out."]


def _metrics(summary: Summary) -> Table:
    columns: list[Column[LabelSummary]] = [Column("label", lambda label: (label.label,), is_number=False)]
    columns += map(_median, shown_in(Shown.SUMMARY, {name for label in summary.labels for name in label.figures}))
    columns += [
        Column("first packet p95", lambda label: (percentile(label.figures[HEADLINE].percentiles["p95"], "ms"),)),
        Column("answered", lambda label: (f"{label.outcomes['measured']['answered']} of {label.asked}",)),
        Column("not answered", lambda label: (_others(label),), is_number=False),
    ]
    return table("Medians [95 % CI]", columns, [rows(columns, summary.labels)])


def _median(known: Metric) -> Column[LabelSummary]:
    def cell(label: LabelSummary) -> Cell:
        figure = label.figures.get(known.name)
        return estimate(figure.p50, figure.unit) if figure else (NONE,)

    return Column(known.title, cell)


def _others(label: LabelSummary) -> str:
    others = {outcome: n for outcome, n in label.outcomes["measured"].items() if n and outcome != "answered"}
    return ", ".join(f"{n} {outcome}" for outcome, n in others.items()) or "none"


def _path(summary: Summary) -> Table:
    roles = [role for role in ROLES if any(role in label.path.roles for label in summary.labels)]
    columns: list[Column[LabelSummary]] = [Column("label", lambda label: (label.label,), is_number=False)]
    columns += [Column(role or "unattributed", partial(_role, role=role)) for role in roles]
    columns += [
        Column("total", lambda label: estimate(label.path.total, "ms")),
        Column("turns", lambda label: single(label.path.n, "count")),
    ]
    return table("Critical path to the first packet: means by role", columns, [rows(columns, summary.labels)])


def _role(label: LabelSummary, role: str) -> Cell:
    return estimate(label.path.roles.get(role), "ms")
