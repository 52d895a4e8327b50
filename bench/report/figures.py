"""Figures out of a run's JSON: what is shown is what stands there."""

from __future__ import annotations

from typing import Any

from firstpacket.bench.format import NONE, Unit, too_few
from firstpacket.bench.stats.bootstrap import MIN_CLUSTERS
from firstpacket.bench.tables.cells import figure, single
from firstpacket.bench.tables.table import Aside, Cell, Place


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

    def estimate(
        self,
        at: Place,
        unit: Unit,
        names: tuple[str, str, str] = ("value", "low", "high"),
        *,
        signed: bool = False,
    ) -> Cell:
        """`412 ms [398, 430]` of an object that has a value and both ends of its interval under these names.

        Where there are too few clips for an interval it says so: `412 ms [5 clips < 6]`; a dash for no object.
        """
        found = self.value(at)
        if found is None or found[names[0]] is None:
            return (NONE,)
        value, low, high = (found[name] for name in names)
        shown = figure(value, unit, (*at, names[0]), signed=signed)
        if low is None or high is None:
            why = _why_none(found)
            return (shown, Aside((f" [{why}]",))) if why else (shown,)
        ends = [figure(end, unit, (*at, name), bare=True) for end, name in zip((low, high), names[1:], strict=True)]
        return (shown, Aside((" [", ends[0], ", ", ends[1], "]")))

    def interval(self, at: Place, unit: Unit, names: tuple[str, str]) -> Cell:
        """`398 to 430`, or why there is none."""
        found = self.value(at)
        low, high = (found[name] for name in names)
        if low is None or high is None:
            return (_why_none(found) or NONE,)
        return (
            figure(low, unit, (*at, names[0]), bare=True),
            " to ",
            figure(high, unit, (*at, names[1]), bare=True),
        )


def _why_none(found: dict[str, Any]) -> str:
    clips = found.get("clips")
    return too_few(clips) if isinstance(clips, int) and 0 < clips < MIN_CLUSTERS else ""
