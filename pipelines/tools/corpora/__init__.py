"""`bench corpus`: makes corpora from recipes, and checks where speech ends. Plugs into the command line as `corpus`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Split = Literal["train", "validation", "test"]

command = typer.Typer(help="Make corpora of synthetic speech, and check corpora.", no_args_is_help=True)


@command.callback()
def corpus() -> None:
    """Make corpora of synthetic speech, and check corpora."""


@command.command()
def build(
    recipe: Annotated[Path, typer.Argument(help="Recipe: what is said by which voice (see datasets/*/recipe.toml).")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the manifest and the clips.")],
    split: Annotated[Split | None, typer.Option(help="Of a recipe of questions: this split's clips alone.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many clips, every topic among them.")] = None,
) -> None:
    """Speak a recipe's sentences, or questions and their answers, and write a corpus with known ends of speech."""
    from firstpacket.pipelines.tools.corpora.build import build as run

    def show(done: int, total: int) -> None:
        typer.echo(f"{done} of {total} clips", err=True)

    typer.echo(f"{run(recipe, out, split, limit, show)} recordings in {out}")


@command.command()
def check(
    corpus: Annotated[str, typer.Argument(help="Name, folder, JSONL manifest, question.json or sound file.")],
    limit_ms: Annotated[float, typer.Option(min=0, help="Flag clips whose ends differ by more.")] = 40.0,
    json: Annotated[bool, typer.Option("--json", help="All that was found.")] = False,
    fail: Annotated[bool, typer.Option("--fail/--no-fail", help="Exit with 1 if clips are flagged.")] = True,
) -> None:
    """Let two detectors find the end of speech of every clip, store what they say, and flag clips where ends differ."""
    from firstpacket.bench.errors import CheckFailed
    from firstpacket.pipelines.tools.corpora.speech_ends import as_json, lines
    from firstpacket.pipelines.tools.corpora.speech_ends import check as run

    found = run(corpus, limit_ms)
    if json:
        from json import dumps

        typer.echo(dumps(as_json(found), indent=1, ensure_ascii=False, allow_nan=False))
    else:
        for line in lines(found):
            typer.echo(line)
    if found.flagged and fail:
        raise CheckFailed(
            f"{len(found.flagged)} of {len(found.clips)} clips of {found.corpus} are flagged: their ends of speech "
            f"differ by more than {limit_ms:g} ms. Listen to them and correct speech_end_ms in the manifest, or accept "
            "the difference with --limit-ms or --no-fail; runs will say it."
        )
