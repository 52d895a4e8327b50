"""`bench baseline`: runs saved as baselines for later ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from firstpacket.bench.commands.console import print_tables, say

app = typer.Typer(
    help="Save runs as baselines for later ones.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.command()
def save(
    paths: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders of one version.")],
    name: Annotated[str | None, typer.Option(help="Name of the baseline. [name of the first run]")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Start the baseline anew, instead of adding to its runs.")
    ] = False,
) -> None:
    """Add runs to a baseline. Three or more show how much runs of the same code differ."""
    from firstpacket.bench.format import counted
    from firstpacket.bench.gate import baselines
    from firstpacket.bench.record.store import read_run

    runs = [read_run(path) for path in paths]
    kept = baselines.save(runs, name or runs[0].manifest.run[:64], replace)
    say(f"saved:   {kept.path} ({counted(len(kept.stored), 'run')})")
    for fact, value in kept.stored[0].version.items():
        if fact.endswith("revision") and "+" in str(value):
            say(f"note:    {fact} {value} has uncommitted changes: make sure that all runs are of one version")


@app.command("list")
def list_() -> None:
    """List the baselines, newest first."""
    from firstpacket.bench.gate.baselines import folder, kept
    from firstpacket.bench.gate.tables import baselines_table

    if found := kept():
        print_tables(baselines_table(found))
    else:
        say(f"no baselines in {folder()}; save one with: bench baseline save RUN")


@app.command()
def show(name: Annotated[str, typer.Argument(help="Name of a baseline.")]) -> None:
    """Print, for each label, how much the runs of a baseline differ, and their conditions."""
    from firstpacket.bench.errors import UnknownName
    from firstpacket.bench.gate import baselines
    from firstpacket.bench.gate.advice import runs_differ
    from firstpacket.bench.gate.fingerprint import key

    found = baselines.named(name)
    if found is None:
        raise UnknownName("baseline", name, (each.name for each in baselines.kept()))
    runs = found.runs()
    typer.echo(f"{found.name}, saved {found.saved} in {found.path}")
    for label, conditions in found.labels.items():
        typer.echo(f"{label}: key {key(conditions)}")
        typer.echo(f"  {runs_differ(runs, label)}")
        for condition, value in conditions.items():
            typer.echo(f"  {condition}: {'none' if value is None else value}")
