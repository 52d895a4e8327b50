"""`bench report`: one readable file from one or more runs, finished or in progress."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from firstpacket.bench.commands.console import console, say


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write. [report.FORMAT]")] = None,
    format: Annotated[str, typer.Option(help="html; md or json: same figures, no turns.")] = "html",
    watch: Annotated[bool, typer.Option("--watch", help="Update it until the run ends. One run, html only.")] = False,
) -> None:
    """Write one self-contained report."""
    from firstpacket.bench.record.store import read_run
    from firstpacket.bench.report.formats import write

    target = out or Path(f"report.{format}")
    if watch:
        written = _watch(runs, format, target)
    else:
        written = write([read_run(path) for path in runs], format, target)
    say(f"report: {written}")


def _watch(runs: list[Path], form: str, out: Path) -> Path:
    from firstpacket.bench.errors import UsageError
    from firstpacket.bench.report.watch import watch

    if len(runs) != 1 or form != "html":
        raise UsageError("--watch follows one run and writes HTML. Pass one run folder, without --format.")
    say(f"watching {runs[0]}: open {out}; Ctrl-C stops watching, the run continues")
    return watch(runs[0], out, lambda line: console().print(line, markup=False))
