"""The summary table: one row per system, for the report's first screen, the terminal and the page for CI."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from firstpacket.bench.analysis.latency_shares import BOUNDS, Bound
from firstpacket.bench.format import NONE
from firstpacket.bench.metrics.definitions import HEADLINE, Metric, Shown, shown_in
from firstpacket.bench.report.view import of_label
from firstpacket.bench.stats.binomial import Share
from firstpacket.bench.summary.contents import LabelSummary, Summary
from firstpacket.bench.summary.warmth import Warmth
from firstpacket.bench.tables.cells import estimate, single, value
from firstpacket.bench.tables.table import Cell, Column, Table, rows, table, words

Shares = Mapping[str, Mapping[int, Share]]
"""By label and bound in ms: the share of its turns that were audible within that time."""


def glance(summary: Summary, shares: Shares, place: Shown = Shown.TERMINAL) -> Table:
    """Medians of the metrics that a place shows, whether they are fast enough for conversation, and what is missing."""
    columns: tuple[Column[LabelSummary], ...] = (
        words("system", lambda label: label.label),
        *map(_median, shown_in(place, {name for label in summary.labels for name in label.figures})),
        Column("first packet p95", _p95),
        *(_audible_within(bound, shares) for bound in BOUNDS),
        Column("cold", _first_packet("cold"), says="first packet of cold turns, median"),
        Column("after idle", _first_packet("idle"), says="first packet after idling, median"),
        Column("answered", _answered),
        words(
            "weights", _origins, lambda label: label.dummy, says="dummy: random values, so only times are meaningful"
        ),
    )
    return table(
        "Summary: medians [95 % CI], and how often replies are audible soon enough for conversation",
        columns,
        [rows(columns, summary.labels)],
        details=(
            "Audible within: share of all measured turns whose reply was audible within that time [exact 95 % CI]; "
            f"turns without an audible reply count as late. Counted from t0: {summary.t0}.",
            *(f"{bound.ms} ms: {bound.why} ({bound.source})." for bound in BOUNDS),
        ),
    )


def _median(known: Metric) -> Column[LabelSummary]:
    def cell(label: LabelSummary) -> Cell:
        found = label.figures.get(known.name)
        return estimate(found.p50, found.unit, of_label(label, "figures", known.name, "p50")) if found else (NONE,)

    return Column(known.heading, cell, says=f"median, from {known.start} to {known.end}")


def _p95(label: LabelSummary) -> Cell:
    found = label.figures[HEADLINE].percentiles["p95"]
    return single(found.value, "ms", of_label(label, "figures", HEADLINE, "percentiles", "p95", "value"))


def _audible_within(bound: Bound, shares: Shares) -> Column[LabelSummary]:
    def cell(label: LabelSummary) -> Cell:
        found = shares[label.label].get(bound.ms)
        return estimate(found, "share", ("latency_shares", "labels", label.label, str(bound.ms)))

    return Column(f"audible within {bound.ms} ms", cell, says=f"{bound.why} ({bound.source})")


def _first_packet(name: Warmth) -> Callable[[LabelSummary], Cell]:
    def cell(label: LabelSummary) -> Cell:
        found = label.warmth.classes[name].first_packet
        return value(found, "ms", of_label(label, "warmth", "classes", name, "first_packet"))

    return cell


def _answered(label: LabelSummary) -> Cell:
    """Of the planned turns, and the outcomes of the others: `11 of 12, 1 failed`."""
    outcomes = label.outcomes["measured"]
    others = (f", {n} {outcome}" for outcome, n in outcomes.items() if n and outcome != "answered")
    answered = single(outcomes["answered"], "count", of_label(label, "outcomes", "measured", "answered"))
    return (*answered, f" of {label.planned}", *others)


def _origins(label: LabelSummary) -> str:
    return ", ".join(dict.fromkeys(each.origin for each in label.weights if each.origin != "none")) or NONE
