"""`bench evaluate`: whether answers are right, on questions with known answers. Plugs in as the command `evaluate`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

command = typer.Typer(
    help="Judge the answers to questions whose answers are known.",
    invoke_without_command=True,
    subcommand_metavar="",
    context_settings={"allow_interspersed_args": True},  # options may follow DATA
)

BOTH = ("cascade", "direct")


@command.callback()
def evaluate(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Corpus of questions and answers: bench corpus build.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the figures; what is there is gone on with.")],
    pipeline: Annotated[
        list[str] | None,
        typer.Option("--pipeline", "-p", metavar="[LABEL=]NAME[,KEY=VALUE...]", help="Who answers; repeat to compare."),
    ] = None,
    split: Annotated[str, typer.Option(help="Split of the corpus that is asked.")] = "test",
    limit: Annotated[int | None, typer.Option(min=1, help="Ask only so many clips, drawn by the seed.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the order of turns, and of what --limit draws.")] = 0,
    recogniser: Annotated[
        str, typer.Option(metavar="NAME[,KEY=VALUE...]", help="Who listens to the replies.")
    ] = "pocketsphinx",
    listen: Annotated[int, typer.Option(min=0, help="To the replies of how many clips; 0: of all.")] = 200,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print all figures instead of the tables.")] = False,
) -> None:
    """Ask every clip of a split once, and say how often the answers are right, and whether they can be understood."""
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
