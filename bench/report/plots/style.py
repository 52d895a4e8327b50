"""The style of all plots: SVG elements in the page's own fonts and colours, with what they say in words."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from markupsafe import Markup

from firstpacket.bench.sanitize import clean_xml

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, GRID, STRONG = "#0a0b01", "#0a0b02", "#0a0b03"
SERIES = ("#0a0c01", "#0a0c02", "#0a0c03", "#0a0c04", "#0a0c05", "#0a0c06")
"""Stand-ins for the page's own colours: each becomes a CSS variable, so that a plot follows light and dark."""
VARIABLES = {INK: "var(--ink-2)", GRID: "var(--line)", STRONG: "var(--ink)"} | {
    colour: f"var(--series-{number})" for number, colour in enumerate(SERIES, start=1)
}
DASHES: tuple[tuple[float, ...], ...] = ((), (6, 2), (2, 2), (8, 2, 2, 2), (4, 1), (1, 1))
MARKS = ("o", "s", "^", "D", "v", "P")
SIZE_INCHES = (6.4, 2.7)
SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 9,
    "text.parse_math": False,
    "figure.constrained_layout.use": True,
}
TIDYING = (
    (r"^<svg[^>]*?(viewBox=\"[^\"]*\")[^>]*>", r"<svg \1>"),
    (r"<metadata>.*?</metadata>", ""),
    (r"<style.*?</style>", ""),  # a style in an inline SVG would rule the whole page
    (r"font-family: [^;\"]*;", ""),
    (r"font: ([\d.]+px) [^;\"]*", r"font-size: \1"),  # older versions write the short form
    (r"(\.\d\d)\d+", r"\1"),
    (r"\n\s*", "\n"),
)
"""Patterns in matplotlib's SVG and what takes their place."""
REFERENCE = re.compile(r'href="#([^"]*)"|url\(#([^)]*)\)')


def series(number: int) -> int:
    """The series (from 1) of the label at this place: its colour, dashes and mark; they come round again."""
    return number % len(SERIES) + 1


def dashes(of_series: int) -> str:
    """As SVG's `stroke-dasharray`; empty for a solid line."""
    return " ".join(str(length) for length in DASHES[of_series - 1])


def line_style(of_series: int) -> dict[str, Any]:
    """Colour and dashes of a series' lines."""
    found = DASHES[of_series - 1]
    return {"color": SERIES[of_series - 1], "linestyle": (0, found) if found else "solid"}


def plot(
    draw: Callable[[Axes], None], title: str, says: str, salt: str, size: tuple[float, float] = SIZE_INCHES
) -> Markup:
    """What `draw` does with axes, as an SVG element whose title and description are `title` and `says`.

    `salt` sets its ids apart from those of other plots on the page: letters, digits and hyphens only.
    """

    def panel(figure: Figure) -> None:
        axes = figure.add_subplot()
        draw(axes)
        dress(axes)

    return Markup(_inline(document(panel, salt, size), title, says, salt))  # made here, with all texts escaped


def document(draw: Callable[[Figure], None], salt: str, size: tuple[float, float]) -> str:
    """What `draw` does with a figure of `size` inches, as an SVG document; the same bytes for the same drawing."""
    # matplotlib takes half a second to import, and only plots need it.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(SETTINGS | {"svg.hashsalt": salt}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of glyphs that a font lacks; the text is kept as text
        figure = Figure(figsize=size)
        figure.patch.set_visible(False)
        draw(figure)
        target = io.StringIO()
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    return target.getvalue()


def dress(axes: Axes, ink: str = INK, grid: str = GRID) -> None:
    """Grid, ticks and names of axes as in all plots."""
    axes.set_facecolor("none")
    axes.grid(color=grid, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(color=grid, labelcolor=ink, length=0)
    for name in (axes.xaxis.label, axes.yaxis.label):
        name.set_color(ink)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _inline(drawn: str, title: str, says: str, salt: str) -> str:
    """The SVG element alone, without a size of its own, in the page's fonts and colours."""
    svg = drawn[drawn.index("<svg") :]
    for pattern, replacement in TIDYING:
        svg = re.sub(pattern, replacement, svg, flags=re.DOTALL)
    used = {name for names in REFERENCE.findall(svg) for name in names}
    svg = re.sub(r' id="([^"]*)"', lambda match: match[0] if match[1] in used else "", svg)
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, variable)
    named = f'<svg role="img" aria-labelledby="{salt}-plot-title {salt}-plot-says" '
    texts = (
        f'<title id="{salt}-plot-title">{escape(clean_xml(title))}</title>'
        f'<desc id="{salt}-plot-says">{escape(clean_xml(says))}</desc>'
    )
    head, _, rest = svg.removeprefix("<svg ").partition(">")
    return f"{named}{head}>\n{texts}{rest}"
