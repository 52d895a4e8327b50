"""Score the answers to questions with known answers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

command = typer.Typer(
    help=__doc__,
    invoke_without_command=True,
    subcommand_metavar="",
    context_settings={"allow_interspersed_args": True},  # options may follow DATA
)

BOTH = ("cascade", "direct")


@command.callback()
def evaluate(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Corpus of questions and answers, made by bench corpus build.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Output folder; an existing evaluation is resumed.")],
    pipeline: Annotated[
        list[str] | None,
        typer.Option(
            "--pipeline", "-p", metavar="[LABEL=]NAME[,KEY=VALUE...]", help="Pipeline to evaluate; repeatable."
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="Split of the corpus to use.")] = "test",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Use a random sample of this many clips, drawn by the seed.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed for the order of turns and the sample of --limit.")] = 0,
    recogniser: Annotated[
        str, typer.Option(metavar="NAME[,KEY=VALUE...]", help="Recogniser that transcribes the replies.")
    ] = "pocketsphinx",
    listen: Annotated[int, typer.Option(min=0, help="Number of clips whose replies are transcribed; 0: all.")] = 200,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print all results as JSON instead of tables.")] = False,
) -> None:
    """Run every clip of a split once, and report how often answers are right and how well they can be understood."""
    from firstpacket.bench.options import parse_pipeline
    from firstpacket.pipelines.tools.evaluation.asking import Asked
    from firstpacket.pipelines.tools.evaluation.evaluate import evaluate as run
    from firstpacket.pipelines.tools.evaluation.tables import show

    choices = tuple(parse_pipeline(text) for text in pipeline or BOTH)
    asked = Asked(data, split, limit, seed, choices, device)
    found = run(asked, out, recogniser, listen or None, ("bench", *sys.argv[1:]))
    if json:
        typer.echo((out / found.json).read_text("utf-8"), nl=False)
    else:
        show(found.figures)
