"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from firstpacket.bench.format import estimated, percentile, valued
from firstpacket.bench.metrics.definitions import HEADLINE, TURN_METRICS, Shown
from firstpacket.bench.report.warmth import warmth_line
from firstpacket.bench.summary.contents import LabelSummary, Summary

COLUMNS = tuple(known for known in TURN_METRICS if known.shown <= Shown.TERMINAL)


def summary_table(summary: Summary, percentiles: Sequence[str] = ()) -> Table:
    """One row per label: medians, the first packet's with its interval, and the outcomes other than answered.

    `percentiles` (of `p90 p95 p99`) of the first packet are shown where the turns carry them.
    """
    table = plain_table(f"{summary.run}: medians [95 % CI], {summary.corpus}, input {summary.input}")
    for heading in ("label", "n", *(known.heading for known in COLUMNS), *percentiles, "not answered"):
        add_column(table, heading, is_number=heading not in ("label", "not answered"))
    for label in summary.labels:
        table.add_row(*(Text(cell) for cell in _cells(label, percentiles)))
    dummies = [label.label for label in summary.labels if label.dummy]
    early = [
        f"{each.label} {each.false_endpoints} of {each.measured}" for each in summary.labels if each.false_endpoints
    ]
    said = [
        f"{what}: {', '.join(labels)}"
        for what, labels in (("dummy weights", dummies), ("answered before the user had finished", early))
        if labels
    ]
    said += [f"INVALID: {reason}" for reason in summary.invalid]
    said += [line for line in (warmth_line(summary),) if line]
    if said:
        table.caption = Text("\n".join(said))
    return table


def plain_table(title: str) -> Table:
    """A table without columns yet, in the style of all."""
    table = Table(title=Text(title), title_justify="left", caption_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.collapse_padding = True
    return table


def add_column(table: Table, heading: str, *, is_number: bool) -> None:
    """Words may be broken in a narrow terminal, numbers not."""
    table.add_column(Text(heading), justify="right" if is_number else "left", no_wrap=is_number)


def _cells(label: LabelSummary, percentiles: Sequence[str]) -> list[str]:
    cells = [label.label, str(label.figures[HEADLINE].n)]
    for known in COLUMNS:
        figure = label.figures.get(known.name)
        if figure is None or figure.p50 is None:
            cells.append("-")
        elif known.name == HEADLINE:
            cells.append(estimated(figure.p50, figure.unit))
        else:
            cells.append(valued(figure.p50.value, figure.unit))
    headline = label.figures[HEADLINE]
    cells += [percentile(headline.percentiles[name], headline.unit) for name in percentiles]
    measured = label.outcomes["measured"]
    return [*cells, ", ".join(f"{n} {name}" for name, n in measured.items() if n and name != "answered") or "none"]
