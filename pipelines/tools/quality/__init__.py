"""`bench quality`: scores a run's recorded replies. Plugs into the command line as `quality`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

command = typer.Typer(
    help="Score the audio of a run's replies.",
    invoke_without_command=True,
    subcommand_metavar="",
    context_settings={"allow_interspersed_args": True},  # options may follow RUN
)

NOBODY = "none"


@command.callback()
def quality(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder with recorded replies.")],
    recogniser: Annotated[
        str,
        typer.Option(
            metavar="NAME[,KEY=VALUE...]", help="Recogniser that transcribes the replies; none: signal checks only."
        ),
    ] = "pocketsphinx",
    score: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[,KEY=VALUE...]", help="Installed scorer; repeatable."),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    baseline: Annotated[
        bool, typer.Option("--baseline/--no-baseline", help="Also transcribe the corpus' clips with the recogniser.")
    ] = True,
) -> None:
    """Score a run's replies with a recogniser and scorers, and show latency and quality in one table."""
    from firstpacket.pipelines.tools.quality.assess import assess
    from firstpacket.pipelines.tools.quality.choosing import checked_device, recogniser_judge, scorer_judge
    from firstpacket.pipelines.tools.quality.progress import progress, show

    place = checked_device(device)
    listener = None if recogniser == NOBODY else recogniser_judge(recogniser, place)
    scorers = [scorer_judge(text, place) for text in score or ()]
    with progress() as bar:
        found = assess(run, listener, scorers, baseline, bar)
    show(run, found)
