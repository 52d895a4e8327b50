"""`bench corpus`: makes corpora of synthetic speech from recipes. Plugs into the command line as `corpus`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

command = typer.Typer(help="Make corpora of synthetic speech.", no_args_is_help=True)


@command.callback()
def corpus() -> None:
    """Make corpora of synthetic speech."""


@command.command()
def build(
    recipe: Annotated[
        Path, typer.Argument(help="Recipe: what is said by which voice (see datasets/demo/recipe.toml).")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the manifest and the clips.")],
) -> None:
    """Speak a recipe's sentences and write them as a corpus with known ends of speech."""
    from pipelines.corpora.build import build as run

    typer.echo(f"{run(recipe, out)} recordings in {out}")
