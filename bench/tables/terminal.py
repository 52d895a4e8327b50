"""Tables for terminals of any width, without colours.

If a table is too wide, the asides of its cells (intervals) are left out, column by column from the right, except in the
first column of figures. If that is not enough, the table continues below in further parts, each beginning with the same
text columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from textwrap import wrap
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table as RichTable
from rich.text import Text

from firstpacket.bench.sanitize import clean
from firstpacket.bench.tables.table import Row, Table, brief, text

GAP = 2
"""Between columns."""
STYLES = {"sum": "bold", "quiet": "dim"}
BAD = "bold"
HEADING = 8
"""Headings are not wrapped to less than this."""
LONGEST_WORD = 24
"""Longer words are broken if there is no room."""
MOST_KEYS = 2
"""Text columns at the left that are repeated in every part."""


@dataclass(frozen=True, slots=True)
class TerminalTable:
    """A table that `rich` prints as wide as its console."""

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The caption, the table in as many parts as it needs, and its notes."""
        if self.table.caption:
            yield _line(self.table.caption, "italic")
        for place, part in enumerate(_parts(self.table, options.max_width)):
            yield from ("",) if place else ()
            yield _drawn(part, options.max_width)
        for note in self.table.notes:
            yield _line(note, "dim")
        yield ""


def _parts(table: Table, room: int) -> Iterator[Table]:
    def fits(part: Table) -> bool:
        least = sum(least for least, _ in map(_width, _columns(part)))
        return least + GAP * (len(part.headings) - 1) <= room

    keys = _keys(table)
    short = reduce(_without_asides, range(keys + 1, len(table.headings)), table)
    rest = list(range(keys, len(table.headings)))
    while rest:
        part = [*range(keys), rest.pop(0)]
        while rest and fits(short.only([*part, rest[0]])):
            part.append(rest.pop(0))
        shown = table.only(part)
        for place in reversed(range(len(part))):
            if fits(shown):
                break
            shown = _without_asides(shown, place)
        yield shown


def _keys(table: Table) -> int:
    words = 0
    while words < min(MOST_KEYS, len(table.headings) - 1) and not table.headings[words].is_number:
        words += 1
    return words


def _without_asides(table: Table, place: int) -> Table:
    def short(row: Row) -> Row:
        return replace(row, cells=tuple(brief(cell) if at == place else cell for at, cell in enumerate(row.cells)))

    return replace(table, groups=tuple(tuple(map(short, group)) for group in table.groups))


def _drawn(table: Table, room: int) -> RichTable:
    """Numbers are never broken; text is, if necessary."""
    drawn = RichTable(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=True)
    columns = _columns(table)
    for column, width in zip(columns, _widths(columns, room - GAP * (len(columns) - 1)), strict=True):
        heading, justify = Text("\n".join(column.heading)), "right" if column.is_number else "left"
        drawn.add_column(heading, justify=justify, width=width, overflow="fold")  # type: ignore[arg-type]
    for group in filter(None, table.groups):
        for row in group:
            cells = (Text(_text(row, place), style=BAD if place in row.bad else "") for place in range(len(row.cells)))
            drawn.add_row(*cells, style=STYLES.get(row.kind))
        drawn.add_section()
    return drawn


class Column(NamedTuple):
    """The lines of its heading, and the texts below it."""

    heading: list[str]
    below: list[str]
    is_number: bool


def _columns(table: Table) -> list[Column]:
    """Headings of numbers become as narrow as the cells below them allow."""
    found = []
    for place, heading in enumerate(table.headings):
        below = [_text(row, place) for row in table.rows]
        widest = max([HEADING, *map(cell_len, below), *map(cell_len, heading.text.split())])
        lines = wrap(clean(heading.text), widest) if heading.is_number else [clean(heading.text)]
        found.append(Column(lines, below, heading.is_number))
    return found


def _width(column: Column) -> tuple[int, int]:
    """The minimum width and the preferred width."""
    texts = [*column.heading, *column.below]
    natural = max([1, *map(cell_len, texts)])
    longest = max([1, *(cell_len(word) for said in texts for word in said.split())])
    return (natural if column.is_number else min(longest, LONGEST_WORD)), natural


def _widths(columns: Sequence[Column], room: int) -> list[int]:
    """Starts from the minimum; the rest goes to text columns, one character at a time to the one with the most
    lines."""
    widths = [least for least, _ in map(_width, columns)]
    natural = [natural for _, natural in map(_width, columns)]
    for _ in range(min(room, sum(natural)) - sum(widths)):
        tallest = max(range(len(columns)), key=lambda place: natural[place] / widths[place])
        widths[tallest] += 1
    words = [place for place, column in enumerate(columns) if not column.is_number]
    while sum(widths) > room and any(widths[place] > 1 for place in words):
        widths[max(words, key=lambda place: widths[place])] -= 1
    return widths


def _text(row: Row, place: int) -> str:
    return " ".join(clean(text(row.cells[place])).split())


def _line(said: str, style: str) -> Text:
    return Text(" ".join(clean(said).split()), style=style)
