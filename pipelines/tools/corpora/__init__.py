"""`bench corpus`: makes corpora from recipes, and checks where speech ends. Plugs into the command line as `corpus`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Split = Literal["train", "validation", "test"]

command = typer.Typer(help="Build corpora of synthetic speech, and check corpora.", no_args_is_help=True)


@command.callback()
def corpus() -> None:
    """Build corpora of synthetic speech, and check corpora."""


@command.command()
def build(
    recipe: Annotated[
        Path, typer.Argument(help="Recipe file: what is said by which voice (see datasets/*/recipe.toml).")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Output folder for the manifest and the clips.")],
    split: Annotated[Split | None, typer.Option(help="Build only this split (for recipes with questions).")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Maximum number of clips, spread over all topics.")] = None,
) -> None:
    """Synthesize a recipe's sentences, or its questions and answers, into a corpus with known ends of speech."""
    from firstpacket.pipelines.tools.corpora.build import build as run

    def show(done: int, total: int) -> None:
        typer.echo(f"{done} of {total} clips", err=True)

    typer.echo(f"{run(recipe, out, split, limit, show)} recordings in {out}")


@command.command()
def check(
    corpus: Annotated[str, typer.Argument(help="Corpus: a name, folder, JSONL manifest, question.json or sound file.")],
    limit_ms: Annotated[
        float, typer.Option(min=0, help="Flag clips whose ends of speech differ by more than this.")
    ] = 40.0,
    json: Annotated[bool, typer.Option("--json", help="Print the full result as JSON.")] = False,
    fail: Annotated[bool, typer.Option("--fail/--no-fail", help="Exit with 1 if clips are flagged.")] = True,
) -> None:
    """Compare the end of speech of every clip with two detectors, store their results, and flag clips that differ."""
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
            f"differ by more than {limit_ms:g} ms. Listen to them and correct speech_end_ms in the manifest, or "
            "accept the difference with --limit-ms or --no-fail; runs will report it."
        )
