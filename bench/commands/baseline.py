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
    path: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder, or a round of a gate.")],
    name: Annotated[str | None, typer.Option(help="Name of the baseline. [name of the run]")] = None,
    noise: Annotated[
        list[Path] | None, typer.Option(help="Another run of the same version, to estimate the noise; repeatable.")
    ] = None,
) -> None:
    """Save a run as a baseline, and the noise between it and other runs of the same version."""
    from firstpacket.bench.gate import baselines
    from firstpacket.bench.gate.noise import save_noise
    from firstpacket.bench.record.store import read_run

    run = read_run(path)
    kept = baselines.save(run, name or run.manifest.run[:64])
    say(f"saved:   {kept.path}")
    if noise:
        found = save_noise([run, *(read_run(each) for each in noise)])
        for finding in found.values():
            bands = (finding.same_job, finding.between_runs)
            said = " and ".join("unknown" if band is None else f"{100 * band:.2g} %" for band in bands)
            say(f"noise:   within one run and between runs: {said}")
        if not found:
            say("noise:   unknown: no system was measured twice under the same conditions")


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
    """Print the conditions of a baseline, and the noise known for them, for each label."""
    from firstpacket.bench.errors import UnknownName
    from firstpacket.bench.gate import baselines
    from firstpacket.bench.gate.fingerprint import key
    from firstpacket.bench.gate.noise import noise

    found = baselines.named(name)
    if found is None:
        raise UnknownName("baseline", name, (each.name for each in baselines.kept()))
    found.run()
    typer.echo(f"{found.name}, saved {found.saved} in {found.path}")
    for label, conditions in found.labels.items():
        typer.echo(f"{label}: key {key(conditions)}, {noise(key(conditions), between_runs=True).source}")
        for condition, value in conditions.items():
            typer.echo(f"  {condition}: {'none' if value is None else value}")
