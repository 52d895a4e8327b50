"""`bench show` and `bench recompute`: what a run says, and whether it follows from its traces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from firstpacket.bench.commands.console import console


def show(
    path: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    json: Annotated[bool, typer.Option("--json", help="All figures as JSON; the page json.md describes it.")] = False,
) -> None:
    """Print the table of a run, or all its figures as JSON."""
    from firstpacket.bench.record.store import read_run
    from firstpacket.bench.summary.summarise import summarise

    found = read_run(path)
    summary = summarise(found)
    if json:
        from firstpacket.bench.contract import written

        typer.echo(written("summary", summary), nl=False)
    else:
        from firstpacket.bench.report.printed import print_run

        print_run(console(stderr=False), found, summary)


def recompute(path: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")]) -> None:
    """Recompute every figure of a run from its raw traces, and report any that differ."""
    from firstpacket.bench.errors import CheckFailed
    from firstpacket.bench.recompute import lines
    from firstpacket.bench.recompute import recompute as derive
    from firstpacket.bench.record.store import read_run

    found = derive(read_run(path))
    for line in lines(found):
        typer.echo(line)
    if not found.equal:
        raise CheckFailed(f"The figures stored in {path} do not follow from its traces; see the differences above.")
