"""Pairs of two systems, clip by clip: a line from one's latency to the other's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from firstpacket.bench.compare.pairs import Pairs
from firstpacket.bench.report.plots.style import GRID, SERIES, STRONG, plot
from firstpacket.bench.stats.quantiles import median

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 120
"""At most this many clips are drawn, spaced evenly by their difference."""
SIZE_INCHES = (3.4, 2.9)


def per_clip(pairs: Pairs) -> tuple[tuple[float, float], ...]:
    """Each clip's medians for both systems, by ascending difference."""
    by_clip: dict[str, tuple[list[float], list[float]]] = {}
    for before, after, clip in zip(pairs.before, pairs.after, pairs.clips, strict=True):
        sides = by_clip.setdefault(clip, ([], []))
        sides[0].append(before)
        sides[1].append(after)
    medians = [(median(before), median(after)) for before, after in by_clip.values()]
    return tuple(sorted(medians, key=lambda each: each[1] - each[0]))


def slopes_svg(
    clips: tuple[tuple[float, float], ...], names: tuple[str, str], unit: str, says: str, salt: str
) -> Markup:
    """A line per clip, and a bold one for the overall medians."""
    return plot(
        lambda axes: _draw(axes, clips, names, unit),
        f"{names[1]} against {names[0]}, clip by clip",
        says,
        salt,
        SIZE_INCHES,
    )


def _draw(axes: Axes, clips: tuple[tuple[float, float], ...], names: tuple[str, str], unit: str) -> None:
    for before, after in clips[:: -(-len(clips) // MOST)]:
        axes.plot([0, 1], [before, after], color=SERIES[5], linewidth=0.8, alpha=0.55)
    middle = [median([before for before, _ in clips]), median([after for _, after in clips])]
    axes.plot([0, 1], middle, color=STRONG, linewidth=2.5, marker="o", markersize=5)
    axes.set_xticks([0, 1], [_short(name) for name in names])
    axes.set_xlim(-0.25, 1.25)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(f"first packet, {unit}")
    axes.axvline(0, color=GRID, linewidth=0.7)


def _short(name: str) -> str:
    return name if len(name) <= 18 else name[:17] + "…"
