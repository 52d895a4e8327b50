"""Cold, warm, after idleness: first packets by class of turns, and what may have kept a label from being warm."""

from __future__ import annotations

from dataclasses import dataclass

from firstpacket.bench.format import NONE, estimated, valued
from firstpacket.bench.metrics.carry_over import CarryOver
from firstpacket.bench.metrics.drift import Drift
from firstpacket.bench.metrics.settling import WarmUp
from firstpacket.bench.stats.bootstrap import Estimate
from firstpacket.bench.summary.contents import LabelSummary, Summary
from firstpacket.bench.summary.warmth import CLASSES, ClassOfTurns, Warmth

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


@dataclass(frozen=True, slots=True)
class WarmthRow:
    """One label and class of turns; times as text."""

    label: str
    title: str
    asked: int
    first_packet: str
    over_warm: str


@dataclass(frozen=True, slots=True)
class WarmthTable:
    """Classes of turns by label, and a line for each label on what was looked for."""

    rows: tuple[WarmthRow, ...]
    notes: tuple[str, ...]


def warmth_table(summary: Summary) -> WarmthTable:
    """The classes that were asked, label by label."""
    return WarmthTable(
        tuple(
            WarmthRow(label.label, TITLES[name], each.asked, _time(each.first_packet), _over(each))
            for label in summary.labels
            for name in CLASSES
            if (each := label.warmth.classes[name]).asked
        ),
        tuple(_note(label) for label in summary.labels),
    )


def warmth_line(summary: Summary) -> str:
    """The same in a line for the terminal: medians of the first packet, cold and after idleness; empty without both."""
    said = [(TITLES[name], _medians(summary, name)) for name in ("cold", "idle")]
    return "; ".join(f"{title}: {medians}" for title, medians in said if medians)


def _medians(summary: Summary, name: Warmth) -> str:
    found = [(label.label, label.warmth.classes[name].first_packet) for label in summary.labels]
    return ", ".join(f"{label} {valued(each.value, 'ms')}" for label, each in found if each)


def _time(found: Estimate | None) -> str:
    return estimated(found, "ms") if found else NONE


def _over(found: ClassOfTurns) -> str:
    return _signed(found.over_warm) if found.over_warm else NONE


def _signed(found: Estimate) -> str:
    return ("+" if found.value > 0 else "") + estimated(found, "ms")


def _note(label: LabelSummary) -> str:
    found = label.warmth
    said = [_warm_up(each) for each in found.warm_ups] or ["the number of its warm-up turns was set"]
    said.append(_drift(found.drift) if found.drift else "too few turns to see whether the first ones differ")
    said.append(_carried(found.carry_over) if found.carry_over else "none or too few turns after each other label")
    return f"{label.label}: {'; '.join(said)}"


def _warm_up(found: WarmUp) -> str:
    return f"{STATES[found.state]} {found.turns} warm-up turns in segment {found.segment}"


def _drift(found: Drift) -> str:
    return f"its first {found.early} measured turns against later ones: {_signed(found.excess)}, p {found.p:.3g}"


def _carried(found: CarryOver) -> str:
    by_label = ", ".join(f"right after {each.predecessor} {_signed(each.difference)}" for each in found.after)
    return f"{by_label}, each against after all others, adjusted p {found.adjusted_p:.3g}"
