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
    path: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder, or that of a gate.")],
    name: Annotated[str | None, typer.Option(help="Name of the baseline. [name of the run]")] = None,
) -> None:
    """Save a run as a baseline."""
    from firstpacket.bench.gate import baselines
    from firstpacket.bench.record.store import read_run

    run = read_run(path)
    kept = baselines.save(run, name or run.manifest.run[:64])
    say(f"saved:   {kept.path}")


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
    """Print the conditions of a baseline, for each label."""
    from firstpacket.bench.errors import UnknownName
    from firstpacket.bench.gate import baselines
    from firstpacket.bench.gate.fingerprint import key

    found = baselines.named(name)
    if found is None:
        raise UnknownName("baseline", name, (each.name for each in baselines.kept()))
    found.run()
    typer.echo(f"{found.name}, saved {found.saved} in {found.path}")
    for label, conditions in found.labels.items():
        typer.echo(f"{label}: key {key(conditions)}")
        for condition, value in conditions.items():
            typer.echo(f"  {condition}: {'none' if value is None else value}")
