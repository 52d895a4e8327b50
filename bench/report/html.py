"""One self-contained HTML file from one or more runs: nothing from the network, the same bytes for the same runs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

from firstpacket import __version__
from firstpacket.bench.analysis.answer import between_runs
from firstpacket.bench.analysis.document import RunContents, contents
from firstpacket.bench.errors import RunError, UsageError
from firstpacket.bench.record.store import Run
from firstpacket.bench.report.method import Method, method
from firstpacket.bench.report.page import after_turns, before_turns
from firstpacket.bench.report.policy import content_policy
from firstpacket.bench.report.section import Bars, Section
from firstpacket.bench.report.sections.glance import glance
from firstpacket.bench.report.sections.path import overview
from firstpacket.bench.report.templating import templates
from firstpacket.bench.report.turns import turn_script, turn_section, turn_style
from firstpacket.bench.report.view import View
from firstpacket.bench.tables.html import cell_html, table_html
from firstpacket.bench.tables.table import Table


@dataclass(frozen=True, slots=True)
class RunPage:
    """All that the template prints of one run."""

    anchor: str
    contents: RunContents
    glance: Table
    overview: Bars | None
    sections: tuple[Section, ...]
    turns: Markup
    conditions: tuple[Section, ...]
    method: Method


def write_report(runs: Sequence[Run], out: Path) -> Path:
    """Write the report on `runs` to the file `out` and return it; folders are made as needed.

    Raises `UsageError` without runs, `RunError` if the file cannot be written or a run holds an unknown figure.
    """
    write_text(render_report(runs), out)
    return out


def write_text(text: str, out: Path) -> None:
    """Write a report in any form: a reader sees the old one or the new one. Folders are made. Raises `RunError`."""
    part = out.with_name(out.name + ".part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8", errors="replace")
        part.replace(out)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise RunError(f"Cannot write the report to {out}: {error.strerror}. Choose another place.") from error


def render_report(runs: Sequence[Run], refresh_s: int = 0, status: str = "") -> str:
    """The report as HTML. Raises as `write_report` does.

    With `refresh_s` the page loads itself anew after so many seconds, for a run that goes on; `status` stands on top.
    """
    if not runs:
        raise UsageError("A report needs at least one run. Name run folders; `bench run` makes them.")
    return (
        _templates()
        .get_template("report.html.j2")
        .render(
            version=__version__,
            style=_file("style.css") + turn_style(),
            script=turn_script(),
            policy=content_policy(turn_script()),
            pages=[_page(run, f"run-{position}", 1 / len(runs)) for position, run in enumerate(runs, start=1)],
            between_runs=between_runs(tuple(runs)),
            refresh_s=refresh_s,
            status=status,
        )
    )


def _page(run: Run, anchor: str, share: float) -> RunPage:
    view = View(contents(run), anchor)
    return RunPage(
        anchor=anchor,
        contents=view.contents,
        glance=glance(view.contents.summary, view.contents.conversation.labels),
        overview=overview(view),
        sections=before_turns(view),
        turns=turn_section(run, anchor, share),
        conditions=after_turns(view),
        method=method(run),
    )


@cache
def _templates() -> Environment:
    """Those of `templating`, and what writes a cell."""
    environment = templates().overlay()
    environment.filters |= {"cell": cell_html, "table": table_html}
    environment.tests |= {"of_kind": lambda block, kind: type(block).__name__ == kind}
    return environment


def _file(name: str) -> Markup:
    return Markup(resources.files("firstpacket.bench.report").joinpath("templates", name).read_text(encoding="utf-8"))
