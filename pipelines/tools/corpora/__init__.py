"""Build corpora of synthetic speech, import data sets, and check corpora."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from firstpacket.bench.format import counted

Split = Literal["train", "validation", "test"]
Rule = Literal["equals", "contains", "choice", "final", "none"]

command = typer.Typer(help=__doc__, no_args_is_help=True)


@command.callback()
def corpus() -> None:
    """Build corpora of synthetic speech, import data sets, and check corpora."""


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
        typer.echo(f"{done} of {counted(total, 'clip')}", err=True)

    typer.echo(f"{counted(run(recipe, out, split, limit, show), 'recording')} in {out}")


@command.command()
def check(
    corpus: Annotated[
        str, typer.Argument(help="Corpus: a name, folder, manifest, list of another tool or sound file.")
    ],
    limit_ms: Annotated[
        float, typer.Option(min=0, help="Flag clips whose ends of speech differ by more than this.")
    ] = 40.0,
    channel: Annotated[
        Literal["mix", "left", "right"], typer.Option(help="Of recordings with several channels: mix, left or right.")
    ] = "mix",
    json: Annotated[bool, typer.Option("--json", help="Print the full result as JSON.")] = False,
    fail: Annotated[bool, typer.Option("--fail/--no-fail", help="Exit with 1 if clips are flagged.")] = True,
) -> None:
    """Compare the end of speech of every clip with two detectors, store their results, and flag clips that differ."""
    from firstpacket.bench.errors import CheckFailed
    from firstpacket.pipelines.tools.corpora.speech_ends import as_json, lines
    from firstpacket.pipelines.tools.corpora.speech_ends import check as run

    found = run(corpus, limit_ms, channel)
    if json:
        from json import dumps

        typer.echo(dumps(as_json(found), indent=1, ensure_ascii=False, allow_nan=False))
    else:
        for line in lines(found):
            typer.echo(line)
    if found.flagged and fail:
        raise CheckFailed(
            f"{found.corpus}: {len(found.flagged)} of {counted(len(found.clips), 'clip')} flagged: estimates of "
            f"the end of speech differ by more than {limit_ms:g} ms. Listen to them and correct speech_end_ms in the "
            "manifest, or accept the difference with --limit-ms or --no-fail; runs will report it."
        )


@command.command("import")
def import_data_set(
    kind: Annotated[
        str,
        typer.Argument(
            help="voicebench, big-bench-audio, audiofolder, parquet, librispeech, llama-omni, nemo; auto: by the files."
        ),
    ],
    path: Annotated[Path, typer.Argument(help="The downloaded data set: its folder, or one file of it.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Output folder for the manifest and the clips.")],
    subset: Annotated[str, typer.Option(help="Subset of the data set, such as commoneval.")] = "",
    split: Annotated[str, typer.Option(help="Import only this split.")] = "",
    language: Annotated[str, typer.Option(help="What is spoken, as ISO 639 has it.")] = "en",
    take: Annotated[
        int | None,
        typer.Option(min=1, help="Import so many questions or dialogues, in equal shares by speaker or category."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of what --take draws.")] = 0,
    text: Annotated[str, typer.Option(help="Column with what is said.")] = "",
    answers: Annotated[str, typer.Option(help="Column with the right answers.")] = "",
    rule: Annotated[Rule | None, typer.Option(help="When a reply is right; the page quality.md explains it.")] = None,
    licence: Annotated[str, typer.Option(help="Licence of the recordings, if you know better.")] = "",
    revision: Annotated[str, typer.Option(help="Revision of the data set, if you know better.")] = "",
    longest: Annotated[float, typer.Option(min=0.1, help="Leave out recordings of more than so many seconds.")] = 60.0,
    again: Annotated[bool, typer.Option("--again", help="Repeat an import; the folder's own is replaced.")] = False,
) -> None:
    """Import a downloaded data set of spoken questions as a corpus; nothing is downloaded."""
    import sys

    from firstpacket.pipelines.tools.corpora.importing import lines
    from firstpacket.pipelines.tools.corpora.importing.candidates import Choice
    from firstpacket.pipelines.tools.corpora.importing.plan import Request, prepare
    from firstpacket.pipelines.tools.corpora.importing.write import write_corpus

    plan = prepare(
        Request(
            kind,
            path,
            out,
            subset,
            split,
            language,
            take,
            seed,
            Choice(text, answers, rule),
            licence,
            revision,
            longest,
            again,
            tuple(sys.argv),
        )
    )
    for line in lines.planned(plan):
        typer.echo(line)

    def show(done: int, total: int) -> None:
        if done % 100 == 0 or done == total:
            typer.echo(f"{done} of {total}", err=True)

    for line in lines.written(write_corpus(plan, show), out):
        typer.echo(line)
