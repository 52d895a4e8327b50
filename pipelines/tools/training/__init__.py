"""`bench train`: the paper's recipe, step by step. Plugs into the command line as `train`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from firstpacket.pipelines.tools.training.loop import Schedule

command = typer.Typer(help="Train both architectures from a corpus of questions and answers.", no_args_is_help=True)

Data = Annotated[Path, typer.Option(help="Corpus made by `bench corpus build` from a recipe with questions.")]
Work = Annotated[Path, typer.Option(help="Folder of all steps' results; a stopped step goes on from there.")]
Seed = Annotated[int, typer.Option(min=0, help="Of initial weights and of the order of the clips.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Steps of training; by default those of the published weights.")]

Batch = Annotated[int | None, typer.Option(min=1, help="Examples in a batch, per process; by default as published.")]
Accumulate = Annotated[int, typer.Option(min=1, help="Batches that make one step.")]


@command.callback()
def train() -> None:
    """Train both architectures from a corpus of questions and answers."""


@command.command("asr")
def train_asr(data: Data, work: Work, seed: Seed = 1, steps: Steps = None) -> None:
    """Train a small Whisper to write what it hears; its encoder listens for the direct model, too."""
    from firstpacket.pipelines.tools.training.asr import SCHEDULE, run

    said(run(data, work, planned(SCHEDULE, seed, steps)))


@command.command("llm")
def train_llm(
    data: Data,
    work: Work,
    seed: Seed = 1,
    steps: Steps = None,
    start: Annotated[Path | None, typer.Option(help="Folder of a published Llama that goes on learning.")] = None,
    batch: Batch = None,
    accumulate: Accumulate = 1,
) -> None:
    """Train a small Llama to answer questions in writing: the cascade's, and what stage 1 begins with."""
    from firstpacket.pipelines.tools.training.llm import BATCH, SCHEDULE, run

    schedule = planned(SCHEDULE, seed, steps, accumulate)
    said(run(data, work, schedule, batch=batch or BATCH, start=start))


@command.command("listening")
def train_listening(
    data: Data,
    work: Work,
    seed: Seed = 1,
    steps: Steps = None,
    encoder: Annotated[
        Path | None, typer.Option(help="A Whisper's folder or .pt file; by default that of the step asr.")
    ] = None,
    llm: Annotated[Path | None, typer.Option(help="A Llama's folder; by default that of the step llm.")] = None,
    inner: Annotated[
        int | None, typer.Option(min=1, help="Inner width of the adaptor; by default 512, at full size 2048.")
    ] = None,
    sparing: Annotated[bool, typer.Option("--sparing", help="Less memory, a third slower.")] = False,
    batch: Batch = None,
    accumulate: Accumulate = 1,
) -> None:
    """Stage 1: train adaptor and language model to answer what the frozen encoder hears."""
    from firstpacket.pipelines.tools.training.listening import BATCH, INNER, SCHEDULE, Parts, run

    schedule = planned(SCHEDULE, seed, steps, accumulate)
    parts = Parts(work, encoder, llm, inner or INNER, sparing)
    said(run(data, work, schedule, parts, batch or BATCH))


@command.command("units")
def find_units(
    data: Data,
    work: Work,
    seed: Seed = 1,
    count: Annotated[
        int | None, typer.Option(min=2, help="How many different units there are; by default 300, at full size 1000.")
    ] = None,
    sequences: Annotated[Path | None, typer.Option(help="Units made elsewhere, as those of mHuBERT.")] = None,
) -> None:
    """Write the answers' speech as discrete units: K-means of cepstra, or units that were made elsewhere."""
    from firstpacket.pipelines.tools.training import units

    sizes = units.UnitSizes() if count is None else units.UnitSizes(units=count)
    if sequences is not None:
        said(units.given(data, work, sequences, sizes.units))
    else:
        said(units.run(data, work, seed, sizes))


@command.command("vocoder")
def train_vocoder(
    data: Data,
    work: Work,
    seed: Seed = 1,
    steps: Steps = None,
    sizes: Annotated[Path | None, typer.Option(help="A published vocoder's config.json: its sizes are taken.")] = None,
    batch: Batch = None,
    accumulate: Accumulate = 1,
) -> None:
    """Train the vocoder: units to sound."""
    from firstpacket.pipelines.tools.training import vocoder

    schedule = planned(vocoder.SCHEDULE, seed, steps, accumulate)
    said(vocoder.run(data, work, schedule, vocoder.sizes_of(sizes), batch or vocoder.BATCH))


@command.command("speaking")
def train_speaking(
    data: Data,
    work: Work,
    seed: Seed = 1,
    steps: Steps = None,
    layers: Annotated[
        tuple[int, int, int, int] | None,
        typer.Option(help="Layers, width, heads and intermediate size; by default 2 256 4 704."),
    ] = None,
    batch: Batch = None,
    accumulate: Accumulate = 1,
    frames: Annotated[
        int | None, typer.Option(min=1, help="Frames of units per token of the reply; by default 25, as published.")
    ] = None,
    beginning: Annotated[
        int | None, typer.Option(min=0, help="Steps with fewer frames before these; by default 10000.")
    ] = None,
    unpaired: Annotated[bool, typer.Option("--unpaired", help="Ablation: with the speech of other replies.")] = False,
) -> None:
    """Stage 2: the speech decoder learns which units to say; all else stays as it is."""
    from firstpacket.pipelines.tools.training.speaking import BATCH, BEGINNING, FRAMES_PER_TOKEN, SCHEDULE, SIZES, run

    schedule = planned(SCHEDULE, seed, steps, accumulate)
    before = BEGINNING.steps if beginning is None else beginning
    said(run(data, work, schedule, layers or SIZES, batch or BATCH, unpaired, frames or FRAMES_PER_TOKEN, before))


@command.command("replies")
def judge_replies(
    data: Data,
    work: Work,
    count: Annotated[int, typer.Option(min=1, help="Validation clips that are asked.")] = 64,
    chunk_units: Annotated[int, typer.Option(min=10, help="Units of a chunk, as in `bench run`.")] = 10,
    unpaired: Annotated[bool, typer.Option("--unpaired", help="Of the speech decoder of the ablation.")] = False,
) -> None:
    """Ask the model that was trained, as it streams, and have pocketsphinx listen to its replies."""
    from firstpacket.pipelines.tools.training.speaking_replies import judged

    said(judged(data, work, count, chunk_units, unpaired))


def planned(published: Schedule, seed: int, steps: int | None, accumulate: int = 1) -> Schedule:
    """The schedule of the published weights, with what was asked for instead."""
    return replace(published, seed=seed, steps=steps or published.steps, accumulate=accumulate)


def said(figures: dict[str, object]) -> None:
    """Print a step's figures, one per line."""
    for name, value in figures.items():
        typer.echo(f"{name:16} {f'{value:.4f}' if isinstance(value, float) else value}")
