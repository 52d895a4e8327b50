"""A history as one self-contained HTML file or as an SVG: no network, no script, the same bytes for the same runs."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from firstpacket import __version__
from firstpacket.bench.errors import RunError, UsageError
from firstpacket.bench.history.history import History
from firstpacket.bench.history.plot import history_svg, inline
from firstpacket.bench.history.tables import history_tables
from firstpacket.bench.history.words import said_of
from firstpacket.bench.tables.html import table_html


def write_history(found: History, out: Path) -> Path:
    """Write `.html` or `.svg`, making folders. Raises `UsageError` for another ending, `RunError` if it cannot."""
    if out.suffix not in (".html", ".svg"):
        raise UsageError(f"A history is written as .html or .svg; '{out.name}' ends in neither.")
    content = history_svg(found) if out.suffix == ".svg" else history_html(found)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(content, encoding="utf-8", errors="replace")
    except OSError as error:
        raise RunError(f"Cannot write {out}: {error.strerror}. Choose another file.") from error
    return out


def history_html(found: History) -> str:
    """The page. Texts of runs come from outside and stay text."""
    style = resources.files("firstpacket.bench.report").joinpath("templates", "style.css").read_text(encoding="utf-8")
    environment = Environment(
        loader=PackageLoader("firstpacket.bench.history"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("history.html.j2").render(
        version=__version__,
        style=Markup(style),
        found=found,
        plot=Markup(inline(history_svg(found))),
        said=said_of(found),
        tables=map(table_html, history_tables(found)),
    )
