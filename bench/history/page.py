"""A history as one self-contained HTML file or as an SVG: no network, no script, the same bytes for the same runs."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from firstpacket import __version__
from firstpacket.bench.errors import UsageError
from firstpacket.bench.history.history import History
from firstpacket.bench.history.plot import history_svg, inline
from firstpacket.bench.history.sentences import said_of
from firstpacket.bench.history.tables import history_tables
from firstpacket.bench.paths import write_file
from firstpacket.bench.report.templating import inlined, templates
from firstpacket.bench.tables.html import table_html


def write_history(found: History, out: Path) -> Path:
    """Write `.html` or `.svg`, making folders. Raises `UsageError` for another ending, `RunError` if it cannot."""
    if out.suffix not in (".html", ".svg"):
        raise UsageError(f"A history is written as .html or .svg, not as '{out.name}'.")
    return write_file(out, history_svg(found) if out.suffix == ".svg" else history_html(found))


def history_html(found: History) -> str:
    """The page. Texts of runs come from outside and stay text."""
    page = templates("firstpacket.bench.history").get_template("history.html.j2")
    return page.render(
        version=__version__,
        style=inlined("style.css"),
        found=found,
        plot=Markup(inline(history_svg(found))),
        said=said_of(found),
        tables=map(table_html, history_tables(found)),
    )
