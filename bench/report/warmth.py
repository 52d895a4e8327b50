"""Cold, warm, after idleness: first packets by class of turns, and what may have kept a label from being warm."""

from __future__ import annotations

from typing import NamedTuple

from firstpacket.bench.format import estimated
from firstpacket.bench.metrics.carry_over import CarryOver
from firstpacket.bench.metrics.drift import Drift
from firstpacket.bench.metrics.steady_state import WarmUp
from firstpacket.bench.report.view import of_label
from firstpacket.bench.summary.contents import LabelSummary, Summary
from firstpacket.bench.summary.warmth import CLASSES, ClassOfTurns, Warmth
from firstpacket.bench.tables.cells import estimate, single
from firstpacket.bench.tables.table import Column, Place, Table, rows, table, words

TITLES: dict[Warmth, str] = {
    "cold": "cold",
    "warmup": "warming up",
    "measured": "warm",
    "idle": "after idle",
    "idle_first": "after idle, machine too",
}
STATES = {
    "settled": "settled after",
    "limit": "not settled within",
    "open": "stopped after",
    "silent": "no answer in",
}


class Class(NamedTuple):
    """A label's turns of one class."""

    label: LabelSummary
    name: Warmth
    found: ClassOfTurns

    @property
    def at(self) -> Place:
        """Its place in the report's JSON."""
        return of_label(self.label, "warmth", "classes", self.name)


COLUMNS: tuple[Column[Class], ...] = (
    words("label", lambda each: each.label.label),
    words("turns", lambda each: TITLES[each.name]),
    Column("asked", lambda each: single(each.found.asked, "count", (*each.at, "asked"))),
    Column("first packet", lambda each: estimate(each.found.first_packet, "ms", (*each.at, "first_packet"))),
    Column("over warm", lambda each: estimate(each.found.over_warm, "ms", (*each.at, "over_warm"), signed=True)),
)


def warmth_table(summary: Summary) -> Table:
    """The classes that were asked, label by label; a note for each label on what was looked for."""
    groups = [
        [Class(label, name, found) for name in CLASSES if (found := label.warmth.classes[name]).asked]
        for label in summary.labels
    ]
    return table(
        "First packets by class of turns, medians [95 % CI]",
        COLUMNS,
        [rows(COLUMNS, group) for group in groups],
        notes=[f"{_note(label)}." for label in summary.labels],
    )


def _note(label: LabelSummary) -> str:
    found = label.warmth
    said = [_warm_up(each) for each in found.warm_ups] or ["the number of its warm-up turns was set"]
    said.append(_drift(found.drift) if found.drift else "too few turns to see whether the first ones differ")
    said.append(_carried(found.carry_over) if found.carry_over else "none or too few turns after each other label")
    return f"{label.label}: {'; '.join(said)}"


def _warm_up(found: WarmUp) -> str:
    return f"{STATES[found.state]} {found.turns} warm-up turns in segment {found.segment}"


def _drift(found: Drift) -> str:
    excess = estimated(found.excess, "ms", signed=True)
    return f"its first {found.early} measured turns against later ones: {excess}, p {found.p:.3g}"


def _carried(found: CarryOver) -> str:
    by_label = (
        f"right after {each.predecessor} {estimated(each.difference, 'ms', signed=True)}" for each in found.after
    )
    return f"{', '.join(by_label)}, each against after all others, adjusted p {found.adjusted_p:.3g}"
