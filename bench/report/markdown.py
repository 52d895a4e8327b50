"""The report as Markdown: the same sections, tables and figures, without pictures and without the list of turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from firstpacket.bench.analysis.answer import Answer
from firstpacket.bench.analysis.document import report_contents
from firstpacket.bench.record.store import Run
from firstpacket.bench.report.method import method
from firstpacket.bench.report.page import after_turns, before_turns
from firstpacket.bench.report.section import Picture, Section, Words
from firstpacket.bench.report.sections.overview import glance
from firstpacket.bench.report.view import View
from firstpacket.bench.summary.licences import licence_sentence
from firstpacket.bench.tables.markdown import Bounds, escaped, table_lines
from firstpacket.bench.tables.table import Cell, Table, text

BOUNDS = Bounds()


def render_markdown(runs: Sequence[Run]) -> str:
    """The report as text. Raises `UsageError` without runs, `RunError` for an unknown figure."""
    found = report_contents(runs)
    lines = list(_between(found.between_runs))
    for each in found.runs:
        lines += _run(View(each, ""))
    return "\n".join(lines) + "\n"


def _run(view: View) -> Iterator[str]:
    said, first = view.contents.answer, glance(view.contents.summary, view.contents.latency_shares.labels)
    yield from (
        f"# {_text(view.contents.summary.run)}",
        "",
        *_answer(said),
        *table_lines(first, BOUNDS),
    )
    if said.notices:
        yield from ("", "Warnings:", "", *(f"- {_text(notice)}" for notice in said.notices))
    for section in (*before_turns(view), *after_turns(view)):
        yield from _section(section)
    yield from ("", "## How it was measured")
    for title, facts in method(view.contents.run).groups:
        yield from ("", f"### {_text(title)}", "", *(f"- {_text(name)}: {_text(value)}" for name, value in facts))
    if licences := licence_sentence(view.contents.summary.licences):
        yield from ("", _text(licences))
    yield ""


def _answer(said: Answer) -> Iterator[str]:
    headline, *others = said.headlines
    yield f"**{_text(headline)}.**"
    if said.attribution:
        yield f"{_text(said.attribution)}."
    yield from ("", f"Measured on {_text(said.measured_on)}.", "")
    if said.made_of:
        yield from (f"Systems measured: {_text('; '.join(said.made_of))}.", "")
    yield from (f"- {_text(each)}." for each in others)
    yield ""


def _section(section: Section) -> Iterator[str]:
    yield from ("", f"## {_text(section.title)}", "")
    if section.lead:
        yield from (_text(section.lead), "")
    for block in section.blocks:
        if isinstance(block, Table):
            yield from table_lines(block, BOUNDS)
        elif isinstance(block, Picture):
            yield from (_text(block.says), "")
        elif isinstance(block, Words):
            yield from (_cell(block.cell), "")


def _between(said: Sequence[str]) -> Iterator[str]:
    if said:
        yield from ("# Comparison between runs", "", *(f"- {_text(each)}." for each in said), "")


def _cell(cell: Cell) -> str:
    return _text(text(cell))


def _text(said: str) -> str:
    return escaped(said, BOUNDS.characters)
