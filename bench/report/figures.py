"""Figures out of a run's JSON: what is shown is what stands there."""

from __future__ import annotations

from typing import Any

from firstpacket.bench.codec import decode
from firstpacket.bench.format import Unit
from firstpacket.bench.stats.bootstrap import Estimate
from firstpacket.bench.tables.cells import estimate, single, span
from firstpacket.bench.tables.table import Cell, Place


class Figures:
    """Reads values of one run's JSON and writes them for people."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def value(self, at: Place) -> Any:
        """What stands at a place. Raises `KeyError` or `IndexError` where nothing does."""
        found: Any = self.document
        for step in at:
            found = found[step]
        return found

    def number(self, at: Place, unit: Unit, *, bare: bool = False) -> Cell:
        """The number at a place, with its unit unless `bare`; a dash for null."""
        return single(self.value(at), unit, at, bare=bare)

    def estimate(self, at: Place, unit: Unit, *, signed: bool = False) -> Cell:
        """`412 ms [398, 430]` of a value with its interval, or why there is none; a dash for null."""
        return estimate(self._estimate(at), unit, at, signed=signed)

    def interval(self, at: Place, unit: Unit) -> Cell:
        """`398 to 430`, or why there is none; a dash for null."""
        return span(self._estimate(at), unit, at)

    def _estimate(self, at: Place) -> Estimate | None:
        return decode(Estimate, found) if (found := self.value(at)) is not None else None
