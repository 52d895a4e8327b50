"""`bench train`: the paper's recipe, step by step. Plugs into the command line as `train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

command = typer.Typer(help="Train both architectures from a corpus of questions and answers.", no_args_is_help=True)

Data = Annotated[Path, typer.Option(help="Corpus made by `bench corpus build` from a recipe with questions.")]
Work = Annotated[Path, typer.Option(help="Folder of all steps' results; a stopped step goes on from there.")]
Seed = Annotated[int, typer.Option(min=0, help="Of initial weights and of the order of the clips.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Steps of training; by default those of the published weights.")]


@command.callback()
def train() -> None:
    """Train both architectures from a corpus of questions and answers."""


@command.command()
def asr(data: Data, work: Work, seed: Seed = 1, steps: Steps = None) -> None:
    """Train a small Whisper to write what it hears; its encoder listens for the direct model, too."""
    from dataclasses import replace

    from pipelines.training.asr import SCHEDULE, run

    said(run(data, work, replace(SCHEDULE, seed=seed, steps=steps or SCHEDULE.steps)))


def said(figures: dict[str, object]) -> None:
    """Print a step's figures, one per line."""
    for name, value in figures.items():
        typer.echo(f"{name:16} {f'{value:.4f}' if isinstance(value, float) else value}")
