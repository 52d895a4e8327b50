"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from bench.compare import Comparison
from bench.metrics.definitions import HEADLINE
from bench.report.words import estimated, percentile, valued
from bench.summary import LabelSummary, Summary

COLUMNS = {
    HEADLINE: "first packet p50 [95 % CI]",
    "response_latency": "audible p50",
    "llm_ttft": "LLM first token p50",
    "rtf_e2e": "RTF p50",
}


def summary_table(summary: Summary, percentiles: Sequence[str] = ()) -> Table:
    """One row per label; `percentiles` (of `p90 p95 p99`) of the first packet are shown where the turns carry them."""
    table = Table(title=Text(f"{summary.run}: {summary.corpus}, input {summary.input}"), title_justify="left")
    for heading in ("label", "n", *COLUMNS.values(), *(f"first packet {name}" for name in percentiles), "not answered"):
        table.add_column(Text(heading), justify="left" if heading in ("label", "not answered") else "right")
    for label in summary.labels:
        table.add_row(*(Text(cell) for cell in _cells(label, percentiles)))
    return table


def comparison_table(comparisons: Sequence[Comparison]) -> Table:
    """One row per comparison: difference and ratio with their intervals, and the pairs they rest on."""
    table = Table(title=Text("differences"), title_justify="left")
    for heading in ("metric", "of", "against", "difference [95 % CI]", "ratio [95 % CI]", "pairs", "lost"):
        table.add_column(Text(heading), justify="right" if "[" in heading or heading == "pairs" else "left")
    for each in comparisons:
        lost = ", ".join(f"{n} ({reason})" for reason, n in each.lost.items())
        difference, ratio = estimated(each.difference, each.unit), estimated(each.ratio, "ratio")
        row = (each.title, each.other, each.base, difference, ratio, str(each.pairs), lost)
        table.add_row(*(Text(cell) for cell in row))
    return table


def _cells(label: LabelSummary, percentiles: Sequence[str]) -> list[str]:
    cells = [label.label + (" (dummy weights)" if label.dummy else ""), str(label.figures[HEADLINE].n)]
    for name in COLUMNS:
        figure = label.figures.get(name)
        if figure is None or figure.p50 is None:
            cells.append("-")
        elif name == HEADLINE:
            cells.append(estimated(figure.p50, figure.unit))
        else:
            cells.append(valued(figure.p50.value, figure.unit))
    headline = label.figures[HEADLINE]
    cells += [percentile(headline.percentiles[name], headline.unit) for name in percentiles]
    measured = label.outcomes["measured"]
    return [*cells, ", ".join(f"{n} {name}" for name, n in measured.items() if n and name != "answered") or "none"]
