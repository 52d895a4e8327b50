"""A run in Markdown for people who read it in CI, for example in the file named by GITHUB_STEP_SUMMARY.

GitHub drops a step's summary of more than 1 MiB, so lists, tables and the page are bounded.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from firstpacket.bench.analysis.answer import Answer, answer
from firstpacket.bench.analysis.latency_shares import latency_shares
from firstpacket.bench.compare.within import compare_moments
from firstpacket.bench.metrics.definitions import Shown
from firstpacket.bench.record.store import Run
from firstpacket.bench.report.quality import quality_table
from firstpacket.bench.report.sections.overview import glance
from firstpacket.bench.report.servers import server_tables
from firstpacket.bench.summary.contents import LabelSummary, Summary
from firstpacket.bench.summary.licences import licence_sentence
from firstpacket.bench.summary.path import ROLES
from firstpacket.bench.summary.summarise import summarise
from firstpacket.bench.tables.cells import estimate, single
from firstpacket.bench.tables.markdown import Bounds, escaped, page, table_lines
from firstpacket.bench.tables.table import Cell, Column, Table, rows, table, words

BOUNDS = Bounds(rows=200, characters=200)
MOST_ITEMS, LONGEST_ITEM = 100, 1000


def markdown(run: Run) -> str:
    """The page: the result in a sentence, the tables and the warnings. Raises `RunError` as `summarise`."""
    summary = summarise(run)
    first, heard = ((), ()) if summary.invalid else compare_moments(run)
    said = answer(run, summary, first, heard)
    lines = [
        f"## Latency: {escaped(summary.run, BOUNDS.characters)}",
        "",
        *_headlines(said),
        "",
        escaped(said.measured_on, LONGEST_ITEM),
        "",
        *_items(said.made_of),
        "",
        *table_lines(glance(summary, latency_shares(run).labels, Shown.SUMMARY), BOUNDS),
        *table_lines(quality_table(summary), BOUNDS),
        *table_lines(_path(summary), BOUNDS),
        *(line for made in server_tables(summary) for line in table_lines(made, BOUNDS)),
    ]
    if said.notices:
        lines += ["### Warnings", "", *_items(said.notices)]
    if licences := licence_sentence(summary.licences):
        lines += [escaped(licences, LONGEST_ITEM)]
    return page(lines)


def _headlines(said: Answer) -> list[str]:
    return _items(f"{each}." for each in said.headlines)


def _items(texts: Iterable[str]) -> list[str]:
    listed = list(texts)
    lines = [f"- {escaped(text, LONGEST_ITEM)}" for text in listed[:MOST_ITEMS]]
    return lines if len(listed) <= MOST_ITEMS else [*lines, f"- {len(listed) - MOST_ITEMS} more not shown."]


def _path(summary: Summary) -> Table:
    roles = [role for role in ROLES if any(role in label.path.roles for label in summary.labels)]
    columns: list[Column[LabelSummary]] = [words("system", lambda label: label.label)]
    columns += [Column(role or "unattributed", partial(_role, role=role)) for role in roles]
    columns += [
        Column("total", lambda label: estimate(label.path.total, "ms")),
        Column("turns", lambda label: single(label.path.n, "count")),
    ]
    return table("Critical path to the first packet: means by role", columns, [rows(columns, summary.labels)])


def _role(label: LabelSummary, role: str) -> Cell:
    return estimate(label.path.roles.get(role), "ms")
