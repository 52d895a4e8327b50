"""What a report is made of, whatever form it is written in: sections of words, tables and pictures.

Every number that a reader sees is a `Figure` (`firstpacket.bench.tables`): it knows its own raw value and where that
stands in the report's JSON, so that all forms tell the same and a test can read them back.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from markupsafe import Markup

from firstpacket.bench.report.bars import Stack
from firstpacket.bench.report.scale import Scale
from firstpacket.bench.tables.table import Cell, Table


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
