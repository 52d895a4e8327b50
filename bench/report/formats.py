"""The report's formats by name; all show the same figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from firstpacket.bench.analysis.document import report_contents
from firstpacket.bench.contract import written
from firstpacket.bench.errors import UnknownName
from firstpacket.bench.paths import write_file
from firstpacket.bench.record.store import Run
from firstpacket.bench.report.html import render_report
from firstpacket.bench.report.markdown import render_markdown


def render_json(runs: Sequence[Run]) -> str:
    """The report as JSON text (`firstpacket.bench.analysis.document`)."""
    return written("report", report_contents(runs))


FORMATS: dict[str, Callable[[Sequence[Run]], str]] = {
    "html": render_report,
    "md": render_markdown,
    "json": render_json,
}


def rendered(runs: Sequence[Run], form: str) -> str:
    """The report as text. Raises `UnknownName` for an unknown form, `RunError` if a run holds an unknown figure."""
    if form not in FORMATS:
        raise UnknownName("format", form, FORMATS)
    return FORMATS[form](runs)


def write(runs: Sequence[Run], form: str, out: Path) -> Path:
    """Write the report to the file `out` and return it. Raises as `rendered`, or `RunError` if it cannot be written."""
    return write_file(out, rendered(runs, form))
