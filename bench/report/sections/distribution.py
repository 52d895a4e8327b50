"""Distribution of time to first packet, with bands, and pairs clip by clip."""

from __future__ import annotations

from firstpacket.bench.compare.pairs import turn_by_turn
from firstpacket.bench.format import amount, counted
from firstpacket.bench.metrics.definitions import HEADLINE
from firstpacket.bench.report.plots.ecdf import Curve, curves, ecdf_svg
from firstpacket.bench.report.plots.slopes import MOST, per_clip, slopes_svg
from firstpacket.bench.report.plots.style import dashes
from firstpacket.bench.report.section import Block, Key, Picture, Section
from firstpacket.bench.report.view import View
from firstpacket.bench.stats.quantiles import median
from firstpacket.bench.summary.values import definition

MOST_PAIRS = 4
"""At most this many comparisons get a plot."""


def spread(view: View) -> Section:
    """Distributions of all systems, and the pairs of every comparison."""
    found = curves(view.contents.run)
    blocks: list[Block] = [_distribution(view, found)] if found else []
    blocks += _pairs(view)
    return Section("spread", "Distribution of time to first packet", "", tuple(blocks))


def _distribution(view: View, found: tuple[Curve, ...]) -> Picture:
    said = "; ".join(
        f"{each.label}: minimum {amount(each.values[0], 'ms')}, median {amount(median(each.values), 'ms')}, maximum "
        f"{amount(each.values[-1], 'ms')}"
        for each in found
    )
    keys = tuple(
        Key(each.series, dashes(each.series), f"{each.label}, {len(each.values)} of {counted(each.asked, 'turn')}")
        for each in found
    )
    return Picture(
        ecdf_svg(found, f"Answered turns: {said}.", f"{view.anchor}-ecdf"),
        "Share of measured turns whose first packet had arrived by a given time.",
        keys,
        ("A curve that ends below 100 % had turns without a packet. Bands are pointwise exact 95 % intervals.",),
    )


def _pairs(view: View) -> list[Block]:
    compared = view.contents.comparison
    blocks: list[Block] = []
    for number, found in enumerate(compared.findings[:MOST_PAIRS] if compared else ()):
        names = (found.headline.base, found.headline.other)
        clips = per_clip(turn_by_turn(view.contents.run, *names, definition(HEADLINE)))
        if not clips:
            continue
        sooner = sum(after < before for before, after in clips)
        says = f"{names[1]} is faster than {names[0]} on {sooner} of {counted(len(clips), 'clip')} (medians per clip)."
        drawn = f" {MOST} of them are shown." if len(clips) > MOST else ""
        svg = slopes_svg(clips, names, "ms", says, f"{view.anchor}-pairs-{number}")
        blocks.append(Picture(svg, f"Clip by clip: {says}{drawn} The bold line joins the overall medians."))
    return blocks
