"""The harness's own error as a table, a sentence, and plain JSON values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from firstpacket.bench.calibration import Calibration, Deviation
from firstpacket.bench.contract import as_json, document
from firstpacket.bench.format import counted
from firstpacket.bench.stats.quantiles import values_needed
from firstpacket.bench.tables.table import Cell, Column, Figure, Table, rows, table, words
from firstpacket.bench.timing.clock import NS_PER_MS

COLUMNS: tuple[Column[Deviation], ...] = (
    words("figure", lambda each: each.figure),
    Column("turns", lambda each: (Figure(str(each.n), each.n),)),
    Column("median", lambda each: _ms(each, 0.5, each.median_ms)),
    Column("p99", lambda each: _ms(each, 0.99, each.p99_ms)),
)


def calibration_table(found: Calibration, separate: Iterable[Deviation]) -> Table:
    """One row per figure: reported against the scripted pipeline's own stamps; then delays reported separately."""
    groups = (rows(COLUMNS, found.deviations), rows(COLUMNS, separate, kind="quiet"))
    return table(f"|reported - true|, {counted(found.turns, 'turn')}", COLUMNS, groups)


def instrument_cost(found: Calibration) -> str:
    """The cost of the instrumentation, in a sentence."""
    each_us, events = found.event_cost_ns / 1000, found.events
    total_us = each_us * events
    return f"instrumentation: at most {each_us:.2g} µs x {events:.0f} recordings = {total_us:.0f} µs per turn"


def calibration_json(found: Calibration, separate: Iterable[Deviation], broken: tuple[str, ...]) -> dict[str, Any]:
    """Plain JSON values; times in ms unless a name says otherwise, null if there are too few turns for a figure."""
    return document("calibration", found) | {
        "cost_per_turn_ms": found.event_cost_ns * found.events / NS_PER_MS,
        "reported_separately": as_json(tuple(separate)),
        "over_limits": list(broken),
    }


def _ms(each: Deviation, q: float, value: float | None) -> Cell:
    """With microseconds: errors are small."""
    return (f"n/a (n={each.n} < {values_needed(q)})" if value is None else Figure(f"{value:.3f} ms", value),)
