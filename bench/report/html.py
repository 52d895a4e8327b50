"""One self-contained HTML file from one or more runs: nothing from the network, the same bytes for the same runs."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from firstpacket import __version__
from firstpacket.bench.analysis.document import RunContents, report_contents
from firstpacket.bench.paths import write_file
from firstpacket.bench.record.store import Run
from firstpacket.bench.report.method import Method, method
from firstpacket.bench.report.page import after_turns, before_turns
from firstpacket.bench.report.section import Bars, Section
from firstpacket.bench.report.sections.overview import glance
from firstpacket.bench.report.sections.path import overview
from firstpacket.bench.report.templating import inlined, templates
from firstpacket.bench.report.turns import turn_script, turn_section, turn_style
from firstpacket.bench.report.view import View
from firstpacket.bench.summary.licences import licence_sentence
from firstpacket.bench.tables.table import Table


@dataclass(frozen=True, slots=True)
class RunPage:
    """Everything that the template prints for one run."""

    anchor: str
    contents: RunContents
    glance: Table
    overview: Bars | None
    sections: tuple[Section, ...]
    turns: Markup
    conditions: tuple[Section, ...]
    method: Method
    licences: str


def write_report(runs: Sequence[Run], out: Path) -> Path:
    """Write the report on `runs` to the file `out` and return it; folders are made as needed.

    Raises `UsageError` without runs, `RunError` if the file cannot be written or a run holds an unknown figure.
    """
    return write_file(out, render_report(runs))


def render_report(runs: Sequence[Run], refresh_s: int = 0, status: str = "") -> str:
    """The report as HTML. Raises as `write_report` does.

    With `refresh_s` the page reloads itself after that many seconds, for a run in progress; `status` is shown at the
    top.
    """
    found = report_contents(runs)
    return (
        templates()
        .get_template("report.html.j2")
        .render(
            version=__version__,
            style=inlined("style.css") + turn_style(),
            script=turn_script(),
            policy=_content_policy(turn_script()),
            pages=[_page(each, f"run-{number}", 1 / len(runs)) for number, each in enumerate(found.runs, start=1)],
            between_runs=found.between_runs,
            refresh_s=refresh_s,
            status=status,
        )
    )


def _page(contents: RunContents, anchor: str, share: float) -> RunPage:
    view = View(contents, anchor)
    return RunPage(
        anchor=anchor,
        contents=contents,
        glance=glance(contents.summary, contents.latency_shares.labels),
        overview=overview(view),
        sections=before_turns(view),
        turns=turn_section(contents.run, anchor, share),
        conditions=after_turns(view),
        method=method(contents.run),
        licences=licence_sentence(contents.summary.licences),
    )


def _content_policy(script: str) -> str:
    """A Content-Security-Policy (level 3) that allows exactly this script and nothing from outside.

    Texts of a run are always escaped; should one slip through, a browser that enforces this policy will not run it.
    """
    sha256 = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    allowed = {
        "default-src": "'none'",
        "script-src": f"'sha256-{sha256}'",
        "style-src": "'unsafe-inline'",
        "media-src": "data:",
        "connect-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{what} {where}" for what, where in allowed.items())
