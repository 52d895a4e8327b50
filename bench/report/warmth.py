"""Cold, warm and idle turns: first packets of each, and signs that a system was not warm."""

from __future__ import annotations

from typing import NamedTuple

from firstpacket.bench.format import estimated
from firstpacket.bench.metrics.carry_over import CarryOver
from firstpacket.bench.metrics.drift import Drift
from firstpacket.bench.metrics.warmup_decision import WarmUp
from firstpacket.bench.report.view import of_label
from firstpacket.bench.summary.contents import LabelSummary, Summary
from firstpacket.bench.summary.warmth import CLASSES, ClassOfTurns, Warmth
from firstpacket.bench.tables.cells import estimate, single
from firstpacket.bench.tables.table import Column, JsonPath, Table, rows, table, words

TITLES: dict[Warmth, str] = {
    "cold": "cold",
    "warmup": "warming up",
    "measured": "warm",
    "idle": "after idle",
    "idle_first": "after idle (machine idle too)",
}
STATES = {
    "steady": "steady after",
    "limit": "not steady after",
    "unsteady": "out of time after",
    "silent": "failed after",
}


class Class(NamedTuple):
    """A system's turns of one class."""

    label: LabelSummary
    name: Warmth
    found: ClassOfTurns

    @property
    def at(self) -> JsonPath:
        """Its place in the report's JSON."""
        return of_label(self.label, "warmth", "classes", self.name)


COLUMNS: tuple[Column[Class], ...] = (
    words("system", lambda each: each.label.label),
    words("state", lambda each: TITLES[each.name]),
    Column("turns", lambda each: single(each.found.turns, "count", (*each.at, "turns"))),
    Column("first packet", lambda each: estimate(each.found.first_packet, "ms", (*each.at, "first_packet"))),
    Column("vs. warm", lambda each: estimate(each.found.vs_warm, "ms", (*each.at, "vs_warm"), signed=True)),
)


def warmth_table(summary: Summary) -> Table:
    """Each system's classes of turns; a note per system on its warm-up, early drift and carry-over."""
    groups = [
        [Class(label, name, found) for name in CLASSES if (found := label.warmth.classes[name]).turns]
        for label in summary.labels
    ]
    return table(
        "First packet of cold, warm and idle turns, medians [95 % CI]",
        COLUMNS,
        [rows(COLUMNS, group) for group in groups],
        notes=[f"{_note(label)}." for label in summary.labels],
    )


def _note(label: LabelSummary) -> str:
    found = label.warmth
    said = [_warm_up(each) for each in found.warm_ups] or ["fixed number of warm-up turns"]
    said.append(_drift(found.drift) if found.drift else "too few turns to test for early drift")
    said.append(
        _carried(found.carry_over) if found.carry_over else "too few turns after other systems to test carry-over"
    )
    return f"{label.label}: {'; '.join(said)}"


def _warm_up(found: WarmUp) -> str:
    return f"{STATES[found.state]} {found.turns} warm-up turns in segment {found.segment}"


def _drift(found: Drift) -> str:
    excess = estimated(found.excess, "ms", signed=True)
    return f"first {found.early} measured turns vs. later ones: {excess}, p {found.p:.3g}"


def _carried(found: CarryOver) -> str:
    by_label = (
        f"right after {each.predecessor} {estimated(each.difference, 'ms', signed=True)}" for each in found.after
    )
    return f"{', '.join(by_label)}, each vs. all other turns, adjusted p {found.adjusted_p:.3g}"
