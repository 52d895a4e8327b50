"""Figures out of a run's JSON: what is shown is what stands there."""

from __future__ import annotations

from typing import Any

from firstpacket.bench.compare.words import amount, number
from firstpacket.bench.report.section import Cell, Figure, Place
from firstpacket.bench.report.words import NONE
from firstpacket.bench.stats.bootstrap import MIN_CLUSTERS
from firstpacket.bench.summary.contents import Unit

SHARE = "share"
"""In the place of a unit: shown in per cent."""


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

    def number(self, at: Place, unit: Unit | str, *, bare: bool = False) -> Cell:
        """The number at a place, with its unit unless `bare`; a dash for null."""
        value = self.value(at)
        if value is None:
            return (NONE,)
        return (Figure(_text(value, unit, bare), value, at),)

    def estimate(
        self,
        at: Place,
        unit: Unit | str,
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
        sign = "+" if signed and value > 0 else ""
        shown: tuple[str | Figure, ...] = (Figure(sign + _text(value, unit, False), value, (*at, names[0])),)
        if low is None or high is None:
            return (*shown, _why_none(found))
        ends = [
            Figure(_text(each, unit, True), each, (*at, name))
            for each, name in zip((low, high), names[1:], strict=True)
        ]
        return (*shown, " [", ends[0], ", ", ends[1], "]")

    def interval(self, at: Place, unit: Unit | str, names: tuple[str, str]) -> Cell:
        """`398 to 430`, or why there is none."""
        found = self.value(at)
        low, high = (found[name] for name in names)
        if low is None or high is None:
            return (_why_none(found).strip(" []") or NONE,)
        return (
            Figure(_text(low, unit, True), low, (*at, names[0])),
            " to ",
            Figure(_text(high, unit, True), high, (*at, names[1])),
        )


def _why_none(found: dict[str, Any]) -> str:
    clips = found.get("clips")
    if not isinstance(clips, int) or not clips:
        return ""
    return f" [{clips} {'clip' if clips == 1 else 'clips'} < {MIN_CLUSTERS}]" if clips < MIN_CLUSTERS else ""


def _text(value: float | int | str, unit: Unit | str, bare: bool) -> str:
    if isinstance(value, str):
        return value
    if unit == SHARE:
        return percent(value) if not bare else percent(value).removesuffix(" %")
    known: Any = unit
    return number(value, known) if bare else amount(value, known)


def percent(share: float) -> str:
    """`61 %`; one decimal below 10 %, unless that is none."""
    if abs(share) < 0.0005:
        return "0 %"
    return f"{100 * share:.0f} %" if abs(share) >= 0.0995 else f"{100 * share:.1f} %"
