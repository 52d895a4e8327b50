"""How far the figures may be off, in a table and in a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from firstpacket.bench.calibration import Calibration, Deviation
from firstpacket.bench.codec import encode
from firstpacket.bench.stats.quantiles import values_needed

NEVER = "not calibrated: bench calibrate"


def calibration_table(found: Calibration, apart: Iterable[Deviation]) -> Table:
    """One row per figure: reported against the scripted pipeline's own stamps; then what is told apart from that."""
    title = f"|reported - true|, {found.turns} turns"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("figure")
    for heading in ("turns", "median", "p99"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in found.deviations:
        table.add_row(*_row(each))
    table.add_section()
    for each in apart:
        table.add_row(*_row(each))
    return table


def instrument_cost(found: Calibration) -> str:
    """What the instrument itself took, in a sentence."""
    each_us, events = found.event_cost_ns / 1000, found.events
    total_us = each_us * events
    return f"instrument: at most {each_us:.2g} µs x {events:.0f} recordings = {total_us:.0f} µs in a turn"


def calibration_json(found: Calibration, apart: Iterable[Deviation], broken: tuple[str, ...]) -> dict[str, Any]:
    """Plain JSON values; times in ms unless a name says otherwise, null where the turns cannot support a figure."""
    return {
        "kind": "firstpacket.calibration",
        **encode(found),
        "cost_per_turn_ms": found.event_cost_ns * found.events / 1e6,
        "apart": [encode(each) for each in apart],
        "over_limits": list(broken),
    }


def ruler(environment: Mapping[str, object]) -> str:
    """What a segment's environment says of the last calibration of its machine."""
    median, p99 = environment.get("calibration_median_ms"), environment.get("calibration_p99_ms")
    if not isinstance(median, float):
        return NEVER
    tail = f", p99 {p99:.2g} ms" if isinstance(p99, float) else ""
    size = f"{environment.get('calibration_turns')} turns, {environment.get('calibration_age_h')} h before"
    verdict = "" if environment.get("calibration_within_limits") else "; over its limits"
    return f"first packet off by {median:.2g} ms in the median{tail} ({size}){verdict}"


def _row(each: Deviation) -> tuple[str, ...]:
    return each.figure, str(each.n), _value(each, 0.5, each.median_ms), _value(each, 0.99, each.p99_ms)


def _value(each: Deviation, q: float, value: float | None) -> str:
    return f"n/a (n={each.n} < {values_needed(q)})" if value is None else f"{value:.3f} ms"
