"""`bench history`: many runs over time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from firstpacket.bench.commands.console import console


def history(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder that contains run folders, at any depth.")],
    metric: Annotated[str, typer.Option(help="Metric to show.")] = "first_packet_latency",
    label: Annotated[str | None, typer.Option(help="Only this label. [all]")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Also write an HTML or SVG file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, as documented on the page history.md.")] = False,
) -> None:
    """Show medians over many runs, one series per set of comparable runs, and the runs where they changed."""
    from firstpacket.bench.history.history import history as read_history
    from firstpacket.bench.history.sentences import said_of
    from firstpacket.bench.history.tables import history_tables
    from firstpacket.bench.tables.terminal import TerminalTable

    found = read_history(folder, metric, label)
    shown = console()
    if json:
        from firstpacket.bench.contract import written

        typer.echo(written("history", found), nl=False)
    else:
        answer = console(stderr=False)
        for table in history_tables(found):
            answer.print(TerminalTable(table))
        for line in said_of(found):
            answer.print(line, markup=False, soft_wrap=True)
    for each in found.skipped:
        shown.print(f"skipped: {each.name}: {each.reason}", markup=False, soft_wrap=True)
    if out is not None:
        from firstpacket.bench.history.page import write_history

        shown.print(f"history: {write_history(found, out)}", markup=False, soft_wrap=True)
