"""`bench baseline`: runs kept to hold later ones against."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from firstpacket.bench.commands.console import console

app = typer.Typer(
    help="Keep runs to hold later ones against.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.command()
def save(
    path: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder, also one of a gate's rounds.")],
    name: Annotated[str | None, typer.Option(help="Name to keep it under. [that of the run]")] = None,
    noise: Annotated[
        list[Path] | None, typer.Option(help="Another run of the same version, to learn the noise from; repeat.")
    ] = None,
) -> None:
    """Keep a run as a baseline, and what other runs of the same version say of the noise here."""
    from firstpacket.bench.gate import baselines
    from firstpacket.bench.gate.noise import learn
    from firstpacket.bench.record.store import read_run

    run = read_run(path)
    kept = baselines.save(run, name or run.manifest.run[:64])
    shown = console()
    shown.print(f"kept:    {kept.path}", markup=False, soft_wrap=True)
    if noise:
        found = learn([run, *(read_run(each) for each in noise)])
        for finding in found.values():
            bands = (finding.same_job, finding.between_runs)
            said = " and ".join("unknown" if band is None else f"{100 * band:.2g} %" for band in bands)
            shown.print(f"noise:   in one run and between runs {said}", markup=False, soft_wrap=True)
        if not found:
            shown.print("noise:   nothing learnt: no label was measured twice under the same conditions")


@app.command("list")
def list_() -> None:
    """List the baselines, newest first."""
    from firstpacket.bench.gate.baselines import folder, kept
    from firstpacket.bench.gate.tables import baselines_table
    from firstpacket.bench.tables.terminal import TerminalTable

    found = kept()
    if found:
        console(stderr=False).print(TerminalTable(baselines_table(found)))
    else:
        console().print(
            f"no baselines in {folder()}; `bench baseline save RUN` keeps one", markup=False, soft_wrap=True
        )


@app.command()
def show(name: Annotated[str, typer.Argument(help="Name of a baseline.")]) -> None:
    """Print the conditions of a baseline, label by label, and the noise known for them."""
    from firstpacket.bench.errors import UnknownName
    from firstpacket.bench.gate import baselines
    from firstpacket.bench.gate.fingerprint import key
    from firstpacket.bench.gate.noise import noise

    found = baselines.named(name)
    if found is None:
        raise UnknownName("baseline", name, (each.name for each in baselines.kept()))
    typer.echo(f"{found.name}, kept {found.saved} in {found.path}")
    for label, conditions in found.labels.items():
        typer.echo(f"{label}: key {key(conditions)}, {noise(key(conditions), between_runs=True).source}")
        for condition, value in conditions.items():
            typer.echo(f"  {condition}: {'none' if value is None else value}")
