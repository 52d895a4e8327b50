"""Tables for terminals of any width, without colours.

Where a table is too wide, the asides of its cells (intervals) are left out from the right, column by column, but for
the first figure; if that is not enough, it goes on below in further parts, each beginning with the same words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from textwrap import wrap

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table as RichTable
from rich.text import Text

from firstpacket.bench.tables.table import Row, Table, brief, text
from firstpacket.bench.text import clean

UNLIMITED = 10_000
STYLES = {"sum": "bold", "quiet": "dim"}
BAD = "bold"
HEADING = 8
"""Headings are not broken narrower than this."""
LONGEST_WORD = 24
"""Longer words are broken where there is no room."""
MOST_KEYS = 2
"""Columns of words at the left that are repeated in every part."""


@dataclass(frozen=True, slots=True)
class TerminalTable:
    """A table that `rich` prints as wide as its console."""

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The caption, the table in as many parts as it needs, and its notes."""
        if self.table.caption:
            yield _line(self.table.caption, "italic")
        for place, part in enumerate(_parts(self.table, console, options)):
            yield from ("",) if place else ()
            yield _drawn(part)
        for note in self.table.notes:
            yield _line(note, "dim")
        yield ""


def _parts(table: Table, console: Console, options: ConsoleOptions) -> Iterator[Table]:
    def fits(part: Table) -> bool:
        return console.measure(_drawn(part), options=options.update(width=UNLIMITED)).minimum <= options.max_width

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


def _drawn(table: Table) -> RichTable:
    """Numbers are never broken, words are; headings are as narrow as what stands below them allows."""
    drawn = RichTable(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=True)
    for place, heading in enumerate(table.headings):
        below = [_text(row, place) for row in table.rows]
        if heading.is_number:
            shown = _heading(heading.text, max(map(cell_len, below), default=0))
            width = max(map(cell_len, [*below, *shown.split("\n")]))
            drawn.add_column(Text(shown), justify="right", no_wrap=True, min_width=width)
        else:
            longest = max((cell_len(word) for said in (heading.text, *below) for word in said.split()), default=1)
            drawn.add_column(Text(clean(heading.text)), overflow="fold", min_width=min(longest, LONGEST_WORD))
    for group in filter(None, table.groups):
        for row in group:
            cells = (Text(_text(row, place), style=BAD if place in row.bad else "") for place in range(len(row.cells)))
            drawn.add_row(*cells, style=STYLES.get(row.kind))
        drawn.add_section()
    return drawn


def _text(row: Row, place: int) -> str:
    return " ".join(clean(text(row.cells[place])).split())


def _heading(said: str, width: int) -> str:
    longest = max([HEADING, *map(len, said.split())])
    return "\n".join(wrap(clean(said), max(width, longest), break_long_words=False, break_on_hyphens=False))


def _line(said: str, style: str) -> Text:
    return Text(" ".join(clean(said).split()), style=style)
