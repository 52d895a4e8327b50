"""`bench history`: many runs over time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from firstpacket.bench.commands.console import print_tables, say


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

    found = read_history(folder, metric, label)
    if json:
        from firstpacket.bench.contract import written

        typer.echo(written("history", found), nl=False)
    else:
        print_tables(*history_tables(found))
        for line in said_of(found):
            say(line, stderr=False)
    for each in found.skipped:
        say(f"skipped: {each.name}: {each.reason}")
    if out is not None:
        from firstpacket.bench.history.page import write_history

        say(f"history: {write_history(found, out)}")
