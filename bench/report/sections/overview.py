"""The summary table: one row per system, for the report's first screen, the terminal and the page for CI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from firstpacket.bench.analysis.latency_shares import BOUNDS, Bound
from firstpacket.bench.format import NONE
from firstpacket.bench.metrics.definitions import HEADLINE, Metric, Shown, shown_in
from firstpacket.bench.report.view import column, of_label
from firstpacket.bench.stats.binomial import Share
from firstpacket.bench.summary.contents import LabelSummary, Summary
from firstpacket.bench.summary.values import shown_unit
from firstpacket.bench.summary.warmth import Warmth
from firstpacket.bench.tables.cells import estimate, single, value
from firstpacket.bench.tables.table import Cell, Column, Table, rows, table, words

Shares = Mapping[str, Mapping[int, Share]]
"""By label and bound in ms: the share of its turns that were audible within that time."""


def glance(summary: Summary, shares: Shares, place: Shown = Shown.TERMINAL) -> Table:
    """Medians of the metrics that a place shows, whether they are fast enough for conversation, and what is missing."""
    unfinished = summary.stopping is not None and summary.stopping.ended == "unfinished"
    columns: tuple[Column[LabelSummary], ...] = (
        words("system", lambda label: label.label),
        *map(_median, shown_in(place, _telling(summary))),
        column("first packet p95", single, "ms", "figures", HEADLINE, "percentiles", "p95", "value"),
        *(_audible_within(bound, shares) for bound in BOUNDS),
        _first_packet("cold", "cold", says="first packet of cold turns, median"),
        _first_packet("after idle", "idle", says="first packet after idling, median"),
        Column("answered", lambda label: _answered(label, "at most " if unfinished else "")),
        words(
            "weights", _origins, lambda label: label.dummy, says="dummy: random values, so only times are meaningful"
        ),
    )
    return table(
        f"Summary: medians [95 % CI], and share of replies audible within {_listed(BOUNDS)} ms",
        columns,
        [rows(columns, summary.labels)],
        details=(
            "Audible within: share of all measured turns whose reply was audible within that time [exact 95 % CI]; "
            f"turns without an audible reply count as late. Counted from t0: {summary.t0}.",
            *(f"{bound.ms} ms: {bound.why} ({bound.source})." for bound in BOUNDS),
        ),
    )


def _listed(bounds: Sequence[Bound]) -> str:
    *first, last = (str(bound.ms) for bound in bounds)
    return f"{', '.join(first)} and {last}"


def _telling(summary: Summary) -> set[str]:
    """The metrics whose median is not 0 in all systems: no column shows that none works during speech."""
    return {name for label in summary.labels for name, found in label.figures.items() if found.p50 and found.p50.value}


def _median(known: Metric) -> Column[LabelSummary]:
    says = f"median, from {known.start} to {known.end}"
    return column(known.heading, estimate, shown_unit(known), "figures", known.name, "p50", says=says)


def _audible_within(bound: Bound, shares: Shares) -> Column[LabelSummary]:
    def cell(label: LabelSummary) -> Cell:
        found = shares[label.label].get(bound.ms)
        return estimate(found, "share", ("latency_shares", "labels", label.label, str(bound.ms)))

    return Column(f"audible within {bound.ms} ms", cell, says=f"{bound.why} ({bound.source})")


def _first_packet(heading: str, name: Warmth, says: str) -> Column[LabelSummary]:
    return column(heading, value, "ms", "warmth", "classes", name, "first_packet", says=says)


def _answered(label: LabelSummary, most: str) -> Cell:
    """Of the planned turns, and the outcomes of the others: `11 of 12, 1 failed`."""
    outcomes = label.outcomes["measured"]
    others = (f", {n} {outcome}" for outcome, n in outcomes.items() if n and outcome != "answered")
    answered = single(outcomes["answered"], "count", of_label(label, "outcomes", "measured", "answered"))
    return (*answered, f" of {most}{label.planned}", *others)


def _origins(label: LabelSummary) -> str:
    return ", ".join(dict.fromkeys(each.origin for each in label.weights if each.origin != "none")) or NONE
