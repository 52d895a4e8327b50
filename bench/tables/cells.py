"""Table cells for figures: a number, a value with its interval, or an interval alone."""

from __future__ import annotations

from typing import Protocol

from firstpacket.bench.format import NONE, Unit, amount, number, too_few
from firstpacket.bench.stats.bootstrap import MIN_CLUSTERS, Interval
from firstpacket.bench.tables.table import Aside, Cell, Figure, JsonPath

ENDS = ("low", "high")
"""The ends of the JSON object `interval`."""


class Estimated(Protocol):
    """A value from a number of independent clusters, with its interval if it has one: an estimate, an exact share."""

    @property
    def value(self) -> float: ...  # noqa: D102
    @property
    def interval(self) -> Interval | None: ...  # noqa: D102
    @property
    def clusters(self) -> int: ...  # noqa: D102


def figure(value: float | str, unit: Unit, at: JsonPath = (), *, bare: bool = False, signed: bool = False) -> Figure:
    """A number, with its unit unless `bare`. A text, such as `infinite`, is kept."""
    if isinstance(value, str):
        return Figure(value, value, at)
    sign = "+" if signed and value > 0 else ""
    return Figure(sign + (number(value, unit) if bare else amount(value, unit)), value, at)


def single(value: float | str | None, unit: Unit, at: JsonPath = (), *, bare: bool = False) -> Cell:
    """A cell of one number; a dash for None."""
    return (NONE,) if value is None else (figure(value, unit, at, bare=bare),)


def estimate(found: Estimated | None, unit: Unit, at: JsonPath = (), *, signed: bool = False) -> Cell:
    """`412 ms [398, 430]`, or why there is no interval: `412 ms [5 clips < 6]`; a dash for None.

    `at` is the path of its JSON.
    """
    if found is None:
        return (NONE,)
    shown = figure(found.value, unit, at and (*at, "value"), signed=signed)
    if found.interval is None:
        return (shown, Aside((f" [{too_few(found.clusters)}]",))) if found.clusters < MIN_CLUSTERS else (shown,)
    low, high = ends(found.interval, unit, at)
    return (shown, Aside((" [", low, ", ", high, "]")))


def value(found: Estimated | None, unit: Unit, at: JsonPath = (), *, bare: bool = False) -> Cell:
    """The value of an estimate, without its interval."""
    return single(found.value if found else None, unit, at and (*at, "value"), bare=bare)


def span(found: Estimated | None, unit: Unit, at: JsonPath = ()) -> Cell:
    """The interval alone, `398 to 430`, or why there is none; a dash for None."""
    if found is None:
        return (NONE,)
    if found.interval is None:
        return (too_few(found.clusters) if found.clusters < MIN_CLUSTERS else NONE,)
    low, high = ends(found.interval, unit, at)
    return (low, " to ", high)


def ends(interval: Interval, unit: Unit, at: JsonPath = ()) -> tuple[Figure, Figure]:
    """Both ends, without units."""
    low, high = (
        figure(value, unit, at and (*at, "interval", name), bare=True)
        for value, name in zip((interval.low, interval.high), ENDS, strict=True)
    )
    return low, high
