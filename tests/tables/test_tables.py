"""One table, built once, written for a terminal, as HTML and as Markdown."""

from __future__ import annotations

import io
import re
from typing import NamedTuple

import pytest
from rich.console import Console

from firstpacket.bench.stats.bootstrap import Estimate, Interval
from firstpacket.bench.tables.cells import estimate, single, span
from firstpacket.bench.tables.html import cell_html, table_html
from firstpacket.bench.tables.markdown import Bounds, table_lines
from firstpacket.bench.tables.table import Column, Figure, Table, brief, rows, table, text, words
from firstpacket.bench.tables.terminal import TerminalTable

HOSTILE = "<b>|`x`\x1b[31m [a](https://evil.example) [bold]y[/]"


class Item(NamedTuple):
    """A label with its latency and errors, where it has them."""

    label: str
    latency: Estimate | None
    errors: int | None = None


def found(value: float) -> Estimate:
    return Estimate(value, 8, 8, Interval(value - 2, value + 3))


COLUMNS: tuple[Column[Item], ...] = (
    Column("label", lambda item: (item.label,), is_number=False),
    Column("first packet", lambda item: estimate(item.latency, "ms", (item.label, "p50"))),
    Column("errors", lambda item: single(item.errors, "count"), lambda item: bool(item.errors), says="of any kind"),
)
FAST, SLOW = Item("fast", found(120.0), 0), Item("slow", found(480.0), 3)


def made(*items: Item) -> Table:
    return table("Latency", COLUMNS, [rows(COLUMNS, items)], notes=("A note.",))


def printed(shown: Table, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(TerminalTable(shown))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def markdown(shown: Table, bounds: Bounds | None = None) -> str:
    return "\n".join(table_lines(shown, bounds or Bounds()))


@pytest.mark.parametrize("written", [printed, table_html, markdown])
def test_every_format_has_all_text_and_figures(written) -> None:
    said = re.sub(r"<[^>]*>|\\", "", str(written(made(FAST, SLOW))))
    for expected in ("Latency", "label", "first packet", "errors", "fast", "slow", "120 ms [118, 123]", "480 ms"):
        assert expected in said


def test_a_column_added_to_the_list_is_in_every_form() -> None:
    columns = (*COLUMNS, Column[Item]("twice", lambda item: single(2 * (item.errors or 0), "count")))
    shown = table("", columns, [rows(columns, [SLOW])])
    assert all(
        "twice" in str(written(shown)) and "6" in str(written(shown)) for written in (printed, table_html, markdown)
    )


def test_a_cell_with_a_problem_is_highlighted() -> None:
    """By its column's own rule, so the places of columns mean nothing."""
    shown = made(FAST, SLOW)
    assert [row.bad for row in shown.rows] == [frozenset(), {2}]
    assert '<td class="n bad">3</td>' in table_html(shown)
    assert "| **3** |" in markdown(shown) and "**0**" not in markdown(shown)
    moved = table("", COLUMNS[1:], [rows(COLUMNS[1:], [SLOW])])
    assert moved.rows[0].bad == {1}


def test_an_empty_column_is_left_out_and_one_of_zeros_is_not() -> None:
    shown = made(Item("fast", None, 0), Item("slow", None, 3))
    assert [heading.text for heading in shown.headings] == ["label", "errors"]
    assert shown.rows[1].bad == {1}, "the mark goes with its column"
    assert [heading.text for heading in made(Item("fast", None, 0)).headings] == ["label", "errors"]


def test_a_table_without_rows_keeps_its_headings() -> None:
    assert [heading.text for heading in made().headings] == ["label", "first packet", "errors"]


def test_figures_know_their_raw_value_and_place() -> None:
    shown = table_html(made(SLOW))
    assert '<data value="480.0" data-figure="/slow/p50/value">480 ms</data>' in shown
    assert '<data value="478.0" data-figure="/slow/p50/interval/low">478</data>' in shown
    assert Figure("", 0, ("a/b", "~", 3)).pointer == "/a~1b/~0/3"
    assert cell_html(single(0.5, "share")) == "50 %", "without a place there is nothing to point at"


def test_an_interval_or_why_there_is_none() -> None:
    few = Estimate(412.0, 5, 5, None)
    assert text(estimate(few, "ms")) == "412 ms [5 clips < 6]"
    assert text(span(few, "ms")) == "5 clips < 6"
    assert text(span(found(400.0), "ms")) == "398 to 403"
    assert text(estimate(None, "ms")) == text(span(None, "ms")) == "-"
    assert text(estimate(found(4.0), "ms", signed=True)) == "+4.0 ms [2.0, 7.0]"
    assert text(brief(estimate(found(4.0), "ms"))) == "4.0 ms"


def test_hostile_texts_do_nothing_in_any_form() -> None:
    shown = table(HOSTILE, COLUMNS, [rows(COLUMNS, [Item(HOSTILE, found(1.0))])], notes=(HOSTILE,))
    told = printed(shown, 200)
    assert "\x1b" not in told and "[bold]y[/]" in told
    assert "<b>" not in table_html(shown) and "&lt;b&gt;" in table_html(shown)
    said = markdown(shown)
    assert "<b>" not in said and "://" not in said and "\\`x\\`" in said
    (row,) = [line for line in said.splitlines() if line.startswith("| &lt;")]
    assert len(re.findall(r"(?<!\\)\|", row)) == 3, "a bar in a text begins no cell"


def wide(columns: int) -> Table:
    many = (COLUMNS[0], *(Column[Item](f"metric {n}", COLUMNS[1].cell) for n in range(columns)))
    return table("", many, [rows(many, [FAST, SLOW])])


def test_a_narrow_terminal_leaves_out_intervals_from_the_right() -> None:
    assert printed(wide(3)).count("[118, 123]") == 3
    assert printed(wide(5)).count("[118, 123]") == 2
    assert printed(wide(5)).count("120 ms") == 5


@pytest.mark.parametrize("width", [24, 40, 80, 120])
def test_a_wide_table_is_split_without_losing_figures(width: int) -> None:
    said = printed(wide(20), width)
    assert said.count("480 ms") == 20
    assert max(map(len, said.splitlines())) <= width
    assert said.count("slow") == said.count("label") > 1
    assert "\x1b" not in said, "no colours where nobody asked"


def test_markdown_is_bounded_and_says_so() -> None:
    said = markdown(made(*[FAST] * 30), Bounds(rows=10, characters=20))
    assert said.count("| fast |") == 10
    assert "20 more rows not shown." in said
    assert "xxxx…" in markdown(made(Item("x" * 100, None)), Bounds(characters=5))


@pytest.mark.parametrize("width", range(40, 100, 3))
def test_text_columns_shrink_before_figures_at_any_width(width: int) -> None:
    columns = (
        words("date of it", lambda item: "2026-11-30 15:25"),
        words("run", lambda item: "20261130-152512-direct"),
        *COLUMNS[1:],
    )
    said = printed(table("", columns, [rows(columns, [FAST, SLOW])]), width)
    assert "120 ms" in said and "480 ms" in said and "errors" in said
    (fast,) = [line for line in said.splitlines() if "120 ms" in line]
    assert width < 61 or fast.rstrip().endswith(" 0")
    assert max(map(len, said.splitlines())) <= width
