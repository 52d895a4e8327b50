"""`bench export` and `bench trace`: write a run for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from firstpacket.bench.commands.console import say


def export(
    path: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    format: Annotated[
        str,
        typer.Option(
            help="csv, parquet (one row per turn); json, markdown, junit, pytest-benchmark, github-action-benchmark, "
            "bencher, openmetrics; svg (what `bench show` prints, as a picture)."
        ),
    ] = "csv",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write. [standard output]")] = None,
) -> None:
    """Export a run for other tools; the page exports.md has an example of each format."""
    from firstpacket.bench.errors import UsageError
    from firstpacket.bench.export.formats import exported, write_export
    from firstpacket.bench.record.store import read_run

    if out is not None:
        say(f"{format}: {write_export(read_run(path), format, out)}")
        return
    content = exported(read_run(path), format)
    if isinstance(content, bytes):
        raise UsageError(f"{format} is a binary format: pass the file to write with --out.")
    typer.echo(content, nl=False)


def trace(
    path: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    turn: Annotated[str, typer.Option(help="Turn number; `all` with --format otel.")],
    format: Annotated[
        str, typer.Option(help="perfetto: for ui.perfetto.dev; otel: OTLP JSON lines for collectors.")
    ] = "perfetto",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write. [standard output]")] = None,
) -> None:
    """Export one turn as a trace: stages, GPU, packets, critical path and data flow."""
    from firstpacket.bench.export.traces import trace_lines, write_traces
    from firstpacket.bench.record.store import read_run

    if out is not None:
        say(f"trace: {write_traces(read_run(path), turn, format, out)}")
        return
    for line in trace_lines(read_run(path), turn, format):
        typer.echo(line)
