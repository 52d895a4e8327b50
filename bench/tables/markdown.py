"""Tables and untrusted texts as Markdown that shows them literally: no markup, HTML, links or mentions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from firstpacket.bench.format import counted
from firstpacket.bench.sanitize import clean
from firstpacket.bench.tables.table import Row, Table
from firstpacket.bench.tables.table import text as as_read

MIB = 1 << 20
"""GitHub drops a step's summary that is larger than this."""
MARKUP = re.compile(r"[\\`*_\[\]#|~$]")
"""Characters that begin markup anywhere in a line."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that is written of a table: rows, and characters of a cell or a note."""

    rows: int = 2000
    characters: int = 2000


def escaped(text: str, longest: int) -> str:
    """One line of text, cut to `longest` characters, shown literally inside a paragraph, a list item or a cell."""
    line = " ".join(clean(text).split())
    if len(line) > longest:
        line = line[: longest - 1] + "…"
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = MARKUP.sub(lambda mark: "\\" + mark[0], line)
    # GitHub turns addresses into links and names into mentions without any markup; these marks prevent that.
    line = re.sub(r"(?i)\b(www)\.", r"\1&#46;", line).replace("://", "&#58;//")
    line = line.replace("@", "@\u2060")
    return re.sub(r"^(?:[-+=]+|\d+[.)])(?=\s|$)", _not_first, line)


def table_lines(table: Table, bounds: Bounds) -> Iterator[str]:
    """The caption, the table with at most this many rows (it says how many were left out), and its notes."""
    if table.caption:
        yield from (f"**{escaped(table.caption, bounds.characters)}**", "")
    yield _line(escaped(heading.text, bounds.characters) for heading in table.headings)
    yield _line("--:" if heading.is_number else "---" for heading in table.headings)
    for row in table.rows[: bounds.rows]:
        yield _line(_cells(row, bounds))
    yield ""
    if len(table.rows) > bounds.rows:
        yield from (f"{counted(len(table.rows) - bounds.rows, 'more row')} not shown.", "")
    notes = [f"- {escaped(note, bounds.characters)}" for note in (*table.notes, *table.details)]
    yield from (*notes, "") if notes else ()


def page(lines: Iterable[str], size: int = MIB) -> str:
    """Lines as one text of less than `size` bytes; it says if lines were left out."""
    rest = "The rest is left out: it is too long.\n"
    kept: list[str] = []
    left = size - len(rest)
    for line in lines:
        left -= len(line.encode("utf-8", "replace")) + 1
        if left <= 0:
            return "\n".join([*kept, rest])
        kept.append(line)
    return "\n".join(kept) + "\n"


def _not_first(mark: re.Match[str]) -> str:
    return f"{mark[0][:-1]}\\{mark[0][-1]}"


def _cells(row: Row, bounds: Bounds) -> Iterator[str]:
    for place, cell in enumerate(row.cells):
        shown = escaped(as_read(cell), bounds.characters)
        yield f"**{shown}**" if shown and (place in row.bad or row.kind == "sum") else shown


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
