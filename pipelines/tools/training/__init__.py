"""Train both architectures from a corpus of questions and answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from firstpacket.bench.errors import UsageError

if TYPE_CHECKING:
    from firstpacket.pipelines.tools.training.loop import Schedule

command = typer.Typer(help=__doc__, no_args_is_help=True)

Data = Annotated[Path, typer.Option(help="Corpus made by `bench corpus build` from a recipe with questions.")]
Work = Annotated[Path, typer.Option(help="Folder for the results of all steps; an interrupted step is resumed.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed for initial weights and the order of clips.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Training steps; by default as for the published weights.")]

Batch = Annotated[
    int | None, typer.Option(min=1, help="Batch size per process; by default as for the published weights.")
]
Accumulate = Annotated[int, typer.Option(min=1, help="Gradient accumulation: batches per step.")]
TeachersEncoder = Annotated[
    Path | None, typer.Option(help="Whisper folder or .pt file; by default the result of the step asr.")
]
TeachersFolder = Annotated[
    Path | None,
    typer.Option(help="Folder of a LLaMA-Omni (language model and adaptor); by default the result of listening."),
]


@command.callback()
def train() -> None:
    """Train both architectures from a corpus of questions and answers."""


@command.command("asr")
def train_asr(data: Data, work: Work, seed: Seed = 1, steps: Steps = None) -> None:
    """Train a small Whisper to transcribe; its encoder is also used by the direct model."""
    from firstpacket.pipelines.tools.training.asr import SCHEDULE, run

    said(run(data, work, planned(SCHEDULE, seed, steps)))


@command.command("llm")
def train_llm(
    data: Data,
    work: Work,
    seed: Seed = 1,
    steps: Steps = None,
    start: Annotated[Path | None, typer.Option(help="Folder of a published Llama to fine-tune.")] = None,
    batch: Batch = None,
    accumulate: Accumulate = 1,
) -> None:
    """Train a small Llama to answer written questions; used by the cascade, and the start of stage 1."""
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
        Path | None, typer.Option(help="Whisper folder or .pt file; by default the result of the step asr.")
    ] = None,
    llm: Annotated[Path | None, typer.Option(help="Llama folder; by default the result of the step llm.")] = None,
    inner: Annotated[
        int | None, typer.Option(min=1, help="Inner width of the adaptor; default 512, at full size 2048.")
    ] = None,
    sparing: Annotated[
        bool, typer.Option("--sparing", help="Recompute activations: less memory, a third slower.")
    ] = False,
    batch: Batch = None,
    accumulate: Accumulate = 1,
) -> None:
    """Stage 1: train adaptor and language model to answer speech, with the encoder frozen."""
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
        int | None, typer.Option(min=2, help="Number of distinct units; default 300, at full size 1000.")
    ] = None,
    sequences: Annotated[Path | None, typer.Option(help="File with precomputed units, such as mHuBERT's.")] = None,
    untrimmed: Annotated[
        bool, typer.Option("--untrimmed", help="Keep the silence before the answers, so that replies begin with it.")
    ] = False,
) -> None:
    """Convert the answers' speech to discrete units: K-means of cepstra, or precomputed units."""
    from firstpacket.pipelines.tools.training import units

    sizes = units.UnitSizes() if count is None else units.UnitSizes(units=count)
    if sequences is not None:
        said(units.given(data, work, sequences, sizes.units))
    else:
        said(units.run(data, work, seed, sizes, untrimmed))


@command.command("vocoder")
def train_vocoder(
    data: Data,
    work: Work,
    seed: Seed = 1,
    steps: Steps = None,
    sizes: Annotated[Path | None, typer.Option(help="config.json of a published vocoder, to use its sizes.")] = None,
    batch: Batch = None,
    accumulate: Accumulate = 1,
    start: Annotated[
        Path | None, typer.Option(help="Folder of a trained vocoder; trains it to end replies without a click.")
    ] = None,
) -> None:
    """Train the vocoder: units to sound."""
    from firstpacket.pipelines.tools.training import vocoder, vocoder_ends

    if start is not None:
        if sizes is not None:
            raise UsageError("--start takes the sizes from the vocoder in that folder. Leave out --sizes.")
        schedule = planned(vocoder_ends.SCHEDULE, seed, steps, accumulate)
        said(vocoder_ends.run(data, work, start, schedule, batch or vocoder_ends.BATCH))
        return
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
        int | None, typer.Option(min=1, help="Unit frames per reply token; default 25, as published.")
    ] = None,
    beginning: Annotated[
        int | None, typer.Option(min=0, help="Warm-up steps with fewer frames; default 10000.")
    ] = None,
    unpaired: Annotated[
        bool, typer.Option("--unpaired", help="Ablation: train with the speech of other replies.")
    ] = False,
    start: Annotated[
        Path | None, typer.Option(help="Folder of a LLaMA-Omni; trains its speech decoder further, at its sizes.")
    ] = None,
) -> None:
    """Stage 2: train the speech decoder to predict units; everything else is frozen."""
    from firstpacket.pipelines.tools.training import speaking

    size = batch or speaking.BATCH
    if start is not None:
        if layers or frames or beginning is not None or unpaired:
            raise UsageError(
                "--start takes sizes and frames from the speech decoder in that folder. Leave out --layers, --frames, "
                "--beginning and --unpaired."
            )
        said(speaking.tune(data, work, start, planned(speaking.TUNING, seed, steps, accumulate), size))
        return
    schedule = planned(speaking.SCHEDULE, seed, steps, accumulate)
    before = speaking.BEGINNING.steps if beginning is None else beginning
    per_token = frames or speaking.FRAMES_PER_TOKEN
    said(speaking.run(data, work, schedule, layers or speaking.SIZES, size, unpaired, per_token, before))


@command.command("streaming-encoder")
def train_streaming_encoder(
    data: Data,
    work: Work,
    seed: Seed = 1,
    steps: Steps = None,
    encoder: TeachersEncoder = None,
    llm: TeachersFolder = None,
    batch: Batch = None,
    accumulate: Accumulate = 1,
) -> None:
    """Streaming, stage 0: teach the speech encoder to listen in blocks, with itself on 30 s as the teacher."""
    from firstpacket.pipelines.tools.training.streaming_encoder import BATCH, SCHEDULE, run
    from firstpacket.pipelines.tools.training.teacher import Teacher

    schedule = planned(SCHEDULE, seed, steps, accumulate)
    said(run(data, work, schedule, Teacher(work, encoder, llm), batch or BATCH))


@command.command("streaming-listening")
def train_streaming_listening(
    data: Data,
    work: Work,
    seed: Seed = 1,
    steps: Steps = None,
    llm: TeachersFolder = None,
    sparing: Annotated[
        bool, typer.Option("--sparing", help="Recompute activations: less memory, a third slower.")
    ] = False,
    batch: Batch = None,
    accumulate: Accumulate = 1,
) -> None:
    """Streaming, stage 1: train adaptor and language model to answer speech heard in blocks; the encoder is frozen."""
    from firstpacket.pipelines.tools.training.streaming_listening import BATCH, SCHEDULE, run
    from firstpacket.pipelines.tools.training.teacher import Teacher

    schedule = planned(SCHEDULE, seed, steps, accumulate)
    said(run(data, work, schedule, Teacher(work, llm=llm), batch or BATCH, sparing))


@command.command("streaming-speaking")
def train_streaming_speaking(
    data: Data,
    work: Work,
    seed: Seed = 1,
    steps: Steps = None,
    start: Annotated[
        Path | None,
        typer.Option(help="Folder of a LLaMA-Omni whose speech decoder to start from; by default the step speaking's."),
    ] = None,
    batch: Batch = None,
    accumulate: Accumulate = 1,
) -> None:
    """Streaming, stage 2: train the speech decoder further on what the streaming model writes."""
    from firstpacket.pipelines.tools.training import speaking
    from firstpacket.pipelines.tools.training.speaking_states import STREAMING

    schedule = planned(speaking.TUNING, seed, steps, accumulate)
    begin, step = start or work / speaking.STEP, speaking.STREAMING_STEP
    said(speaking.tune(data, work, begin, schedule, batch or speaking.BATCH, STREAMING, step))


@command.command("replies")
def judge_replies(
    data: Data,
    work: Work,
    count: Annotated[int, typer.Option(min=1, help="Number of validation clips to run.")] = 64,
    chunk_units: Annotated[int, typer.Option(min=10, help="Units per chunk, as in `bench run`.")] = 10,
    unpaired: Annotated[bool, typer.Option("--unpaired", help="Use the speech decoder of the ablation.")] = False,
) -> None:
    """Run the trained model in streaming mode and transcribe its replies with pocketsphinx."""
    from firstpacket.pipelines.tools.training.speaking_replies import judged

    said(judged(data, work, count, chunk_units, unpaired))


def planned(published: Schedule, seed: int, steps: int | None, accumulate: int = 1) -> Schedule:
    """The schedule of the published weights, with the user's overrides."""
    return replace(published, seed=seed, steps=steps or published.steps, accumulate=accumulate)


def said(figures: dict[str, object]) -> None:
    """Print a step's results, one per line."""
    for name, value in figures.items():
        typer.echo(f"{name:16} {f'{value:.4f}' if isinstance(value, float) else value}")
