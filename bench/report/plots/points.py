"""Points with lines: latency against utterance length, over the run, and along a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from firstpacket.bench.analysis.drift import SystemDrift
from firstpacket.bench.analysis.utterance_length import LengthFit
from firstpacket.bench.report.plots.style import INK, MARKS, SERIES, line_style, plot, series
from firstpacket.bench.stats.bootstrap import Estimate
from firstpacket.bench.stats.quantiles import median

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_POINTS = 250
"""At most this many points per system, evenly along the axis. Lines use all of them."""
WINDOWS, LEAST = 24, 5
"""Medians along the run that make up a system's line, and the fewest turns in each."""


def length_svg(drifts: Sequence[tuple[int, LengthFit]], says: str, salt: str) -> Markup:
    """A point per clip and a line per system, numbered as in the run; the wedge is the slope's interval."""

    def draw(axes: Axes) -> None:
        for number, fit in drifts:
            colour, step = SERIES[series(number) - 1], -(-len(fit.ms) // MOST_POINTS)
            axes.scatter(
                fit.seconds[::step],
                fit.ms[::step],
                s=12,
                marker=MARKS[series(number) - 1],
                color=colour,
                alpha=0.6,
                linewidths=0,
            )
            if fit.line is not None and fit.line.slope.interval is not None:
                ends = [fit.seconds[0], fit.line.middle, fit.seconds[-1]]
                slopes = (fit.line.slope.interval.low, fit.line.slope.interval.high)
                low, high = ([fit.line.at(x, slope) for x in ends] for slope in slopes)
                axes.fill_between(ends, low, high, color=colour, alpha=0.12, linewidth=0)
                axes.plot(ends, [fit.line.at(x) for x in ends], linewidth=2, **line_style(series(number)))
        axes.set_ylim(0, 1.05 * max(max(fit.ms) for _, fit in drifts))
        axes.set_xlabel("utterance length, s")
        axes.set_ylabel("first packet, ms")

    return plot(draw, "First packet by utterance length", says, salt)


def drift_svg(
    drifts: Sequence[tuple[int, SystemDrift]], temperatures: Sequence[tuple[int, int]], says: str, salt: str
) -> Markup:
    """A point per turn in run order, hollow where the machine did other work; a line of running medians."""

    def draw(axes: Axes) -> None:
        for number, drift in drifts:
            style, step = series(number), -(-len(drift.ms) // MOST_POINTS)
            points = list(zip(drift.positions, drift.ms, drift.was_noisy, strict=True))[::step]
            for is_noisy in (False, True):
                some = [point for point in points if point[2] == is_noisy]
                axes.scatter(
                    [each[0] for each in some], [each[1] for each in some], s=12, alpha=0.6, marker=MARKS[style - 1],
                    facecolors="none" if is_noisy else SERIES[style - 1], edgecolors=SERIES[style - 1],
                    linewidths=0.8 if is_noisy else 0,
                )  # fmt: skip
            axes.plot(*_running(drift), linewidth=1.8, **line_style(style))
        axes.set_ylim(0, 1.05 * max(max(drift.ms) for _, drift in drifts))
        axes.set_xlabel("measured turn, in run order")
        axes.set_ylabel("first packet, ms")
        if temperatures:
            _warmth(axes, temperatures)

    return plot(draw, "First packet over the run", says, salt)


def sweep_svg(
    option: str,
    own: Sequence[tuple[float, float]],
    others: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    says: str,
    salt: str,
) -> Markup:
    """Mean first packets by value of an option: this run's with a solid line, and published ones by system.

    `own` may hold (value, ms) only; infinite values are left out of the curve.
    """

    def draw(axes: Axes) -> None:
        axes.plot(*zip(*own, strict=True), linewidth=2, marker="o", markersize=5, color=SERIES[0])
        for number, (_, points) in enumerate(others, start=1):
            style = series(number)
            axes.plot(
                *zip(*points, strict=True), linewidth=1.4, marker=MARKS[style - 1], markersize=4, **line_style(style)
            )
        axes.set_ylim(bottom=0)
        axes.set_xlabel(option)
        axes.set_ylabel("mean first packet, ms")

    return plot(draw, f"First packet by {option}", says, salt)


def quality_svg(
    drifts: Sequence[tuple[int, Estimate, Estimate]], quality: str, says: str, salt: str, *, lower_is_better: bool
) -> Markup:
    """A point per system, numbered as in the run: median first packet and quality, each with its interval."""

    def draw(axes: Axes) -> None:
        for number, latency, judged in drifts:
            style = series(number)
            axes.errorbar(
                latency.value, judged.value, xerr=_reach(latency), yerr=_reach(judged), fmt=MARKS[style - 1],
                color=SERIES[style - 1], markersize=6, linewidth=1.2, capsize=3,
            )  # fmt: skip
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("first packet, ms")
        axes.set_ylabel(f"{quality}, {'lower' if lower_is_better else 'higher'} is better")

    return plot(draw, f"First packet against {quality}", says, salt)


def _reach(drifts: Estimate) -> list[list[float]] | None:
    """How far the interval reaches below and above the value."""
    interval = drifts.interval
    return [[drifts.value - interval.low], [interval.high - drifts.value]] if interval else None


def _running(drift: SystemDrift) -> tuple[list[float], list[float]]:
    """Medians of consecutive turns."""
    size = max(LEAST, -(-len(drift.ms) // WINDOWS))
    windows = [slice(at, at + size) for at in range(0, len(drift.ms) - LEAST + 1, size)]
    return [median(drift.positions[each]) for each in windows], [median(drift.ms[each]) for each in windows]


def _warmth(axes: Axes, temperatures: Sequence[tuple[int, int]]) -> None:
    """The GPU's temperature on its own axis at the right."""
    right = axes.twinx()
    positions, celsius = zip(*temperatures, strict=True)
    right.plot(positions, celsius, color=INK, linewidth=1, linestyle=(0, (1, 2)))
    right.set_ylabel("GPU, °C", color=INK)
    right.tick_params(length=0, labelcolor=INK)
    for spine in right.spines.values():
        spine.set_visible(False)
