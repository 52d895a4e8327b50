"""At a glance: one row per label, for the first screen."""

from __future__ import annotations

from firstpacket.bench.analysis.conversation import BOUNDS
from firstpacket.bench.metrics.definitions import FIRST_AUDIBLE, HEADLINE
from firstpacket.bench.report.view import View
from firstpacket.bench.tables.table import Cell, Heading, Row, Table


def glance(view: View) -> Table:
    """Medians, and whether they are soon enough for a conversation."""
    bounds = [Heading(f"heard by {bound.ms} ms", says=f"{bound.why} ({bound.source})") for bound in BOUNDS]
    return Table(
        "At a glance: medians, and whether answers come soon enough for a conversation",
        (
            Heading("label", is_number=False),
            Heading("first packet [95 % CI]", says="median"),
            Heading("first audible [95 % CI]", says="median"),
            *bounds,
            Heading("answered"),
            Heading(
                "weights",
                is_number=False,
                says="dummy: random values, so that only times mean something",
            ),
        ),
        tuple((_row(view, label),) for label in view.labels),
        (
            "Heard by: share of all measured turns whose answer was audible by then [exact 95 % CI]; one that never "
            f"came is late. Counted from t0: {view.contents.summary.t0}.",
            *(f"{bound.ms} ms: {bound.why} ({bound.source})." for bound in BOUNDS),
        ),
    )


def _row(view: View, label: str) -> Row:
    at = view.of_label(label)
    known = view.figures.value((*at, "figures"))
    medians: list[Cell] = [
        view.figures.estimate((*at, "figures", name, "p50"), "ms") if name in known else ("-",)
        for name in (HEADLINE, FIRST_AUDIBLE)
    ]
    shares: list[Cell] = []
    for bound in BOUNDS:
        found = view.figures.value(("conversation", "labels", label))
        place = ("conversation", "labels", label, str(bound.ms))
        shares.append(view.figures.estimate(place, "share") if found else ("-",))
    answered = view.figures.number((*at, "outcomes", "measured", "answered"), "count")
    measured = sum(view.figures.value((*at, "outcomes", "measured")).values())
    weights = view.figures.value((*at, "weights"))
    origins = ", ".join(dict.fromkeys(each["origin"] for each in weights if each["origin"] != "none")) or "none"
    cells = ((label,), *medians, *shares, (*answered, f" of {measured}"), (origins,))
    return Row(cells, frozenset({len(cells) - 1} if "dummy" in origins else ()))
