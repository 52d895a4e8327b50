"""Score the audio of a run's replies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

command = typer.Typer(
    help=__doc__,
    invoke_without_command=True,
    subcommand_metavar="",
    context_settings={"allow_interspersed_args": True},  # options may follow RUN
)

NOBODY = "none"


@command.callback()
def quality(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder with recorded replies.")],
    recogniser: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[,KEY=VALUE...]",
            help="Recogniser that transcribes the replies; none: signal checks only. [a published Whisper if one is on "
            "this machine, else pocketsphinx]",
        ),
    ] = None,
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
    from firstpacket.bench.errors import Stopped
    from firstpacket.pipelines.tools.quality import choosing
    from firstpacket.pipelines.tools.quality.assess import assess
    from firstpacket.pipelines.tools.quality.progress import progress, show

    place = choosing.checked_device(device)
    name = recogniser or choosing.default_recogniser()
    listener = None if name == NOBODY else choosing.recogniser_judge(name, place)
    scorers = [choosing.scorer_judge(text, place) for text in score or ()]
    try:
        with progress() as shown:
            found = assess(run, listener, scorers, baseline, shown)
    except KeyboardInterrupt:
        raise Stopped("Stopped. What was scored is kept; the same command continues with the rest.") from None
    show(run, found)
