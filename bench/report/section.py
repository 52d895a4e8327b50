"""The parts of a report, independent of its format: sections of words, tables and pictures.

Every number that a reader sees is a `Figure` (`firstpacket.bench.tables`): it carries its raw value and its place in
the report's JSON, so that all formats agree and a test can read them back.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from markupsafe import Markup

from firstpacket.bench.report.bars import Stack
from firstpacket.bench.report.scale import Scale
from firstpacket.bench.tables.table import Cell, Table


@dataclass(frozen=True, slots=True)
class Key:
    """One entry of a picture's legend; `series` gives colour and dashes, 0 means a mark without its own colour."""

    series: int
    dashes: str
    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG with a text alternative."""

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
    """Stacked bars of the systems on one axis; a table has the same figures, so that other formats omit them."""

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
