"""The medians of a history over time as SVG, drawn by matplotlib: a panel per machine, a colour per label."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from firstpacket.bench.history.history import History
from firstpacket.bench.history.series import Series
from firstpacket.bench.report.plots.style import MARKS, document, dress
from firstpacket.bench.sanitize import clean_xml

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, GRID = "#5a6472", "#e1e4e9"
SERIES = ("#a2491c", "#2b4fa8", "#1b7f6b", "#8a3f8f", "#7a6a00", "#4b5563")
VARIABLES = {INK: "var(--ink-2)", GRID: "var(--line)"} | {
    colour: f"var(--series-{number})" for number, colour in enumerate(SERIES, start=1)
}
"""Each colour as the variable of a page that follows light and dark."""
WIDTH_INCHES, PANEL_INCHES = 8.4, 2.9
LONGEST_NAME = 80


def history_svg(found: History) -> str:
    """A document: medians with 95 % intervals, lines between runs that may be compared, changes with their ratio.

    A dotted line stands where a label's runs are not joined to those before. The same bytes for the same history.
    """
    machines = sorted({each.machine for each in found.series})
    labels = sorted({each.label for each in found.series})

    def draw(figure: Figure) -> None:
        panels = figure.subplots(len(machines), 1, squeeze=False, sharex=True)[:, 0]
        for axes, machine in zip(panels, machines, strict=True):
            for each in found.series:
                if each.machine == machine:
                    _draw(axes, each, labels.index(each.label))
            _dress(axes, machine, f"{found.title}, {found.unit}")

    return document(draw, "history", (WIDTH_INCHES, PANEL_INCHES * len(machines)))


def inline(svg: str) -> str:
    """The SVG element alone, in the colours of the page around it."""
    element = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    element = re.sub(
        r'^<svg[^>]*?(viewBox="[^"]*")[^>]*>', r'<svg role="img" aria-label="Medians over time" \1>', element
    )
    for colour, variable in VARIABLES.items():
        element = element.replace(colour, variable)
    return element


def _day(when: datetime) -> float:
    from matplotlib.dates import date2num

    return float(date2num(when))  # type: ignore[no-untyped-call]


def _draw(axes: Axes, each: Series, number: int) -> None:
    colour, mark = SERIES[number % len(SERIES)], MARKS[number % len(MARKS)]
    days = [_day(point.when) for point in each.points]
    values = [point.median.value for point in each.points]
    named = each.label not in axes.get_legend_handles_labels()[1]
    axes.plot(days, values, color=colour, marker=mark, markersize=4, linewidth=1.5, label=each.label if named else None)
    for day, point in zip(days, each.points, strict=True):
        if point.median.interval is not None:
            span = [point.median.interval.low, point.median.interval.high]
            axes.plot([day, day], span, color=colour, linewidth=1, alpha=0.5)
    if each.differs_from_previous:
        axes.axvline(days[0], color=colour, linewidth=0.8, linestyle=":")
    for change in each.changes:
        day = _day(change.point.when)
        axes.axvline(day, color=colour, linewidth=1, linestyle=(0, (6, 3)))
        said = f"× {change.ratio:.2f}" if change.ratio is not None else "changed"
        place = (day, 1.0)
        axes.annotate(
            said, place, (3, -9), xycoords=("data", "axes fraction"), textcoords="offset points", color=colour
        )


def _dress(axes: Axes, machine: str, title: str) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    named = clean_xml(machine).replace("\n", " ")[:LONGEST_NAME]
    axes.set_title(named, loc="left", color=INK, fontsize=9)
    axes.set_ylim(min(0.0, axes.get_ylim()[0]), axes.get_ylim()[1])
    axes.set_ylabel(title)
    places: Any = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(places)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(places))  # type: ignore[no-untyped-call]
    dress(axes, INK, GRID)
    axes.xaxis.get_offset_text().set_color(INK)
    axes.legend(frameon=False, labelcolor=INK, loc="lower right", bbox_to_anchor=(1, 1), ncols=6, borderpad=0)
