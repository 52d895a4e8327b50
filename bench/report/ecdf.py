"""The distribution of first-packet latency per label, drawn by matplotlib as SVG that takes the page's colours."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.metrics.definitions import HEADLINE
from bench.record.store import Run
from bench.summary.values import definition, measured_turns, shown_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, GRID = "#0a0b01", "#0a0b02"
SERIES = ("#0a0c01", "#0a0c02", "#0a0c03", "#0a0c04", "#0a0c05", "#0a0c06")
"""Stand-ins for the page's own colours: each becomes a CSS variable, so that the plot follows light and dark."""
VARIABLES = {INK: "var(--ink-2)", GRID: "var(--line)"} | {
    colour: f"var(--series-{number})" for number, colour in enumerate(SERIES, start=1)
}
DASHES: tuple[tuple[float, ...], ...] = ((), (6, 2), (2, 2), (8, 2, 2, 2), (4, 1), (1, 1))
SIZE_INCHES = (6.4, 2.7)

TIDYING = (
    (r"^<svg[^>]*?(viewBox=\"[^\"]*\")[^>]*>", r'<svg role="img" aria-label="Share of turns by first packet" \1>'),
    (r"<metadata>.*?</metadata>", ""),
    (r"<style.*?</style>", ""),  # a style in an inline SVG would rule the whole page
    (r"font-family: [^;\"]*;", ""),
    (r"font: ([\d.]+px) [^;\"]*", r"font-size: \1"),  # older versions write the short form
    (r' id="(?!p[0-9a-f]{10}")[^"]*"', ""),  # only the clip's id is referred to
    (r"(\.\d\d)\d+", r"\1"),
    (r"\n\s*", "\n"),
)
"""Patterns in matplotlib's SVG and what takes their place."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A label's values in ascending order, ms, out of `asked` turns; its series number gives its colour and dashes."""

    label: str
    series: int
    dashes: str
    values: tuple[float, ...]
    asked: int


def curves(run: Run) -> tuple[Curve, ...]:
    """One curve per label that has any first packet."""
    known, found = definition(HEADLINE), []
    for number, plan in enumerate(run.manifest.labels):
        turns = measured_turns(run, plan.label)
        values = sorted(value for turn in turns if (value := shown_value(turn, known)) is not None)
        style = number % len(SERIES)
        dashes = " ".join(str(length) for length in DASHES[style])
        if values:
            found.append(Curve(plan.label, style + 1, dashes, tuple(values), len(turns)))
    return tuple(found)


def ecdf_svg(found: Sequence[Curve], salt: str) -> str:
    """An SVG element: share of the measured turns by time of the first packet; empty without curves.

    A curve whose turns did not all bring a packet ends below 100 %. No label is drawn: they stand in the page's legend.
    `salt` sets this plot's ids apart from those of others on the page.
    """
    if not found:
        return ""
    # matplotlib takes half a second to import, and only a report needs it.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": salt, "font.size": 9, "figure.constrained_layout.use": True}
    ):
        figure = Figure(figsize=SIZE_INCHES)
        figure.patch.set_visible(False)
        axes = figure.add_subplot()
        for curve in found:
            _draw(axes, curve)
        _dress(axes)
        target = io.StringIO()
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    return _inline(target.getvalue())


def _draw(axes: Axes, curve: Curve) -> None:
    shares = [100 * rank / curve.asked for rank in range(len(curve.values) + 1)]
    dashes = DASHES[curve.series - 1]
    axes.step(
        [curve.values[0], *curve.values],
        shares,
        where="post",
        color=SERIES[curve.series - 1],
        linewidth=2,
        linestyle=(0, dashes) if dashes else "solid",
    )


def _dress(axes: Axes) -> None:
    axes.set_facecolor("none")
    axes.set_ylim(0, 102)
    axes.set_yticks([0, 25, 50, 75, 100], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    axes.set_xlim(left=0)
    axes.set_xlabel("first packet after t0, ms", color=INK)
    axes.grid(color=GRID, linewidth=0.7)
    axes.tick_params(color=GRID, labelcolor=INK, length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _inline(document: str) -> str:
    """The SVG element alone, without a size of its own, in the page's fonts and colours."""
    svg = document[document.index("<svg") :]
    for pattern, replacement in TIDYING:
        svg = re.sub(pattern, replacement, svg, flags=re.DOTALL)
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, variable)
    return svg
