"""Tables without a format: columns that define their cells, rows of cells, and figures that keep their raw value.

A `Column` defines in one place its heading, its cell for an item, and when that cell is bad:

    COLUMNS = (
        words("system", lambda check: check.label),
        Column("pairs", lambda check: single(check.pairs, "count"), is_bad=lambda check: check.pairs < 10),
    )
    made = table("checks", COLUMNS, [rows(COLUMNS, checks)])

The writers (`terminal`, `html`, `markdown`) only format tables, so two outputs never disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from firstpacket.bench.format import NONE

T = TypeVar("T")
Step = str | int
JsonPath = tuple[Step, ...]
"""The path of a value in a JSON document: names in objects and indices in lists."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number as text, its raw value, and its path in the JSON that belongs to the table, if it has one."""

    text: str
    value: float | int | str
    at: JsonPath = ()

    @property
    def pointer(self) -> str:
        """The path as a JSON Pointer (RFC 6901); empty for a figure without one."""
        return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in self.at)


@dataclass(frozen=True, slots=True)
class Aside:
    """Parts that a narrow terminal leaves out first, such as the interval after a value."""

    parts: tuple[str | Figure, ...]


Cell = tuple[str | Figure | Aside, ...]
"""The contents of a table cell or a sentence: text and figures in order."""
EMPTY = frozenset({"", NONE, "n/a"})
"""Texts of empty cells."""


@dataclass(frozen=True)
class Column(Generic[T]):
    """One column of a table of `T`s: its heading, its cells, and which of them are bad.

    `says` is the tooltip of the heading.
    """

    heading: str
    cell: Callable[[T], Cell]
    is_bad: Callable[[T], bool] = lambda _: False
    is_number: bool = True
    says: str = ""


def words(
    heading: str, said: Callable[[T], str], is_bad: Callable[[T], bool] = lambda _: False, *, says: str = ""
) -> Column[T]:
    """A column of text."""
    return Column(heading, lambda item: (said(item),), is_bad, is_number=False, says=says)


@dataclass(frozen=True, slots=True)
class Heading:
    """The heading of a column."""

    text: str
    is_number: bool = True
    says: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """Cells in the order of the headings; `bad` are the indices of those marked as bad."""

    cells: tuple[Cell, ...]
    bad: frozenset[int] = frozenset()
    kind: str = ""
    """`sum`, `quiet` (secondary), another style, or empty."""
    role: str = ""
    """Role whose colour is shown before the first cell; `none` for no stage."""
    says: str = ""
    """Tooltip of the first cell."""

    def only(self, places: Sequence[int]) -> Row:
        """The cells at these indices."""
        bad = frozenset(new for new, old in enumerate(places) if old in self.bad)
        return replace(self, cells=tuple(self.cells[place] for place in places), bad=bad)


@dataclass(frozen=True, slots=True)
class Table:
    """A table: rows in groups that belong together."""

    caption: str
    headings: tuple[Heading, ...]
    groups: tuple[tuple[Row, ...], ...]
    notes: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    """Notes that explain the table in general; a terminal omits them."""
    folded: bool = False
    """Whether a page shows it only on demand."""

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows, in order."""
        return tuple(row for group in self.groups for row in group)

    def only(self, places: Sequence[int]) -> Table:
        """The columns at these indices."""
        groups = tuple(tuple(row.only(places) for row in group) for group in self.groups)
        return replace(self, headings=tuple(self.headings[place] for place in places), groups=groups)


def rows(
    columns: Sequence[Column[T]],
    items: Iterable[T],
    *,
    kind: str = "",
    role: Callable[[T], str] = lambda _: "",
    says: Callable[[T], str] = lambda _: "",
) -> tuple[Row, ...]:
    """One row per item."""
    return tuple(
        Row(
            tuple(column.cell(item) for column in columns),
            frozenset(place for place, column in enumerate(columns) if column.is_bad(item)),
            kind,
            role(item),
            says(item),
        )
        for item in items
    )


def table(
    caption: str,
    columns: Sequence[Column[T]],
    groups: Iterable[tuple[Row, ...]],
    *,
    notes: Iterable[str] = (),
    details: Iterable[str] = (),
    folded: bool = False,
) -> Table:
    """A table of these columns. A column that is empty in all rows is left out."""
    headings = tuple(Heading(column.heading, column.is_number, column.says) for column in columns)
    whole = Table(caption, headings, tuple(groups), tuple(notes), tuple(details), folded)
    telling = [place for place in range(len(headings)) if any(tells(row.cells[place]) for row in whole.rows)]
    return whole.only(telling) if whole.rows else whole


def tells(cell: Cell) -> bool:
    """Whether a cell is not empty."""
    return text(cell) not in EMPTY


def text(cell: Cell) -> str:
    """A cell as plain text."""
    return "".join(part if isinstance(part, str) else part.text for part in flat(cell))


def flat(cell: Cell) -> tuple[str | Figure, ...]:
    """Text and figures in order, those inside asides included."""
    return tuple(each for part in cell for each in (part.parts if isinstance(part, Aside) else (part,)))


def brief(cell: Cell) -> Cell:
    """A cell without its asides."""
    return tuple(part for part in cell if not isinstance(part, Aside))
