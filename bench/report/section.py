"""What a report is made of, whatever form it is written in: sections of words, tables and pictures.

Every number that a reader sees is a `Figure`: it knows its own raw value and where that stands in the report's JSON
(`firstpacket.bench.analysis.document`), so that all forms tell the same and a test can read them back.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from markupsafe import Markup

from firstpacket.bench.report.bars import Stack
from firstpacket.bench.report.scale import Scale

Step = str | int
Place = tuple[Step, ...]
"""Where a value stands in the JSON of a run: names of objects, and numbers of places in lists."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number as it is read, as it is, and where it stands."""

    text: str
    value: float | int | str
    at: Place

    @property
    def pointer(self) -> str:
        """The place as a JSON Pointer (RFC 6901)."""
        return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in self.at)


Cell = tuple[str | Figure, ...]
"""What stands in a cell of a table, or in a sentence: words and figures in turn."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading; `says` explains it to whoever asks."""

    heading: str
    is_number: bool = True
    says: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """Cells in the order of the columns; `bad` are the places of those that tell of trouble."""

    cells: tuple[Cell, ...]
    bad: frozenset[int] = frozenset()
    kind: str = ""
    """`sum`, `quiet` (beside the matter) or nothing."""
    role: str = ""
    """Role whose colour stands before the first cell; `none` for no stage."""
    says: str = ""
    """Explains the first cell to whoever asks."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows in groups that belong together."""

    caption: str
    columns: tuple[Column, ...]
    groups: tuple[tuple[Row, ...], ...]
    notes: tuple[str, ...] = ()
    folded: bool = False
    """Whether it is shown only to those who ask for it."""

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows in their order."""
        return tuple(row for group in self.groups for row in group)


@dataclass(frozen=True, slots=True)
class Key:
    """One entry of a picture's legend; `series` gives colour and dashes, 0 means a mark without a colour of its own."""

    series: int
    dashes: str
    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG with what it says in words, for those who do not see it."""

    svg: Markup
    says: str
    keys: tuple[Key, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """A paragraph of words and figures."""

    cell: Cell
    is_fine: bool = False


@dataclass(frozen=True, slots=True)
class Bars:
    """Stacked bars of the labels on one axis; a table says the same, so that other forms leave them out."""

    stacks: tuple[Stack, ...]
    scale: Scale
    roles: tuple[str, ...]
    """Roles that occur; the last may be empty, for no stage."""
    kinds: tuple[str, ...]
    says: str


Block = Table | Picture | Words | Bars


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part of the report; one without blocks is left out."""

    anchor: str
    title: str
    lead: str
    blocks: tuple[Block, ...] = field(default=())
