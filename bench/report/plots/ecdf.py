"""The distribution of first-packet latency per system, with a confidence band."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from firstpacket.bench.metrics.definitions import HEADLINE
from firstpacket.bench.record.store import Run
from firstpacket.bench.report.plots.style import SERIES, line_style, plot, series
from firstpacket.bench.stats.binomial import share
from firstpacket.bench.summary.values import definition, shown_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BAND_POINTS = 48
"""Times at which the band is computed; straight lines join them."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A system's values in ascending order, ms, out of `asked` turns, and the band's times, lower and upper shares."""

    label: str
    series: int
    values: tuple[float, ...]
    asked: int
    band: tuple[tuple[float, float, float], ...] = ()


def curves(run: Run) -> tuple[Curve, ...]:
    """One curve per system that has any first packet."""
    known, found = definition(HEADLINE), []
    for number, plan in enumerate(run.manifest.labels):
        turns = run.measured(plan.label)
        waits = [shown_value(turn, known) for turn in turns]
        values = sorted(wait for wait in waits if wait is not None)
        if values:
            band = _band(waits, [turn.utterance for turn in turns], values)
            found.append(Curve(plan.label, series(number), tuple(values), len(turns), band))
    return tuple(found)


def ecdf_svg(found: Sequence[Curve], says: str, salt: str) -> Markup:
    """Share of the measured turns by time of the first packet; empty without curves.

    A curve with turns that had no packet ends below 100 %. Labels are in the legend only.
    """
    if not found:
        return Markup()
    return plot(lambda axes: _draw(axes, found), "Share of turns by first packet", says, salt)


def _band(
    waits: Sequence[float | None], clips: Sequence[str], values: Sequence[float]
) -> tuple[tuple[float, float, float], ...]:
    """Pointwise: at each of these times, the exact interval of the share."""
    times = sorted(set(np.quantile(values, np.linspace(0, 1, BAND_POINTS)).tolist()))
    rows = []
    for time in times:
        interval = share([wait is not None and wait <= time for wait in waits], clips).interval
        rows.append((time, interval.low, interval.high))
    return tuple(rows)


def _draw(axes: Axes, found: Sequence[Curve]) -> None:
    for curve in found:
        if curve.band:
            times, low, high = zip(*curve.band, strict=True)
            axes.fill_between(
                times, [100 * share for share in low], [100 * share for share in high],
                color=SERIES[curve.series - 1], alpha=0.13, linewidth=0,
            )  # fmt: skip
    for curve in found:
        shares = [100 * rank / curve.asked for rank in range(len(curve.values) + 1)]
        axes.step([curve.values[0], *curve.values], shares, where="post", linewidth=2, **line_style(curve.series))
    axes.set_ylim(0, 102)
    axes.set_yticks([0, 25, 50, 75, 100], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    axes.set_xlim(left=0)
    axes.set_xlabel("first packet after t0, ms")
