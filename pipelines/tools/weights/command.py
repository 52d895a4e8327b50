"""Pack trained weights, and export them in the published layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

command = typer.Typer(help=__doc__, no_args_is_help=True)


@command.callback()
def weights() -> None:
    """Pack trained weights, and export them in the published layouts."""


@command.command()
def pack(
    work: Annotated[Path, typer.Option(help="Folder with the training results (`bench train`).")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Output folder of the weights, such as datasets/weights/demo.")
    ],
    part: Annotated[
        list[str] | None,
        typer.Option(
            help="Pack this part only, into weights that keep their others: whisper, llm, direct, vocoder or "
            "streaming; repeatable. [all that were trained]"
        ),
    ] = None,
) -> None:
    """Pack the trained weights: each tensor once, in float16, with the hashes of all files."""
    from firstpacket.pipelines.tools.weights.pack import pack as run

    packed = run(work, out, part or ())
    typer.echo(f"{packed.size / 2**20:.1f} MiB in {out}: {', '.join(packed.parts)}")


@command.command()
def export(
    layout: Annotated[
        str,
        typer.Option(
            help="all, transformers-whisper, faster-whisper, openai-whisper, llama, llama-omni or llama-omni-streaming."
        ),
    ] = "all",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Output folder, with one subfolder per layout. [the cache]")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Folder of packed weights. [the demo weights]")] = None,
) -> None:
    """Export the demo weights, or other packed weights, in published layouts, and print their paths."""
    from firstpacket.pipelines.tools.weights.export import export as run

    for folder in run(layout, out, weights):
        typer.echo(str(folder))
