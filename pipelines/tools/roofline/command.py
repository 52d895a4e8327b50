"""The command: load, measure machine and turns in alternation, print measured over floor by stage."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from firstpacket.bench.errors import UsageError

if TYPE_CHECKING:
    from firstpacket.pipelines.tools.roofline.machine import Machine

command = typer.Typer(
    help="Compare the measured first packet with the machine's lower bound.", invoke_without_command=True
)


@command.callback()
def roofline(
    pipeline: Annotated[
        list[str],
        typer.Option(
            "--pipeline",
            "-p",
            metavar="[LABEL=]NAME[,KEY=VALUE...]",
            help="Pipeline to measure; repeat to compare several with the first.",
        ),
    ],
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    dtype: Annotated[str, typer.Option(help="auto, float32, float16 or bfloat16.")] = "auto",
    repetitions: Annotated[
        int, typer.Option(help="How often the machine is measured, and turns after it.", min=1, max=1000)
    ] = 5,
    turns: Annotated[
        int, typer.Option(help="Turns per repetition and pipeline, each with another clip.", min=1, max=10_000)
    ] = 10,
    corpus: Annotated[str, typer.Option(help="Clips to answer, spread over their lengths.")] = "small-world",
    machine: Annotated[
        str, typer.Option(help="Only the floor, by arithmetic, of this machine: h200 or l40. Nothing is loaded.")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print, by stage, the time on the critical path to the first packet and the machine's lower bound for it."""
    # As for workers: threads that spin while they wait slow their neighbours down. Read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from firstpacket.bench.config import check_labels
    from firstpacket.bench.corpus.load import load_corpus
    from firstpacket.bench.options import Options, check_values, parse_pipeline
    from firstpacket.bench.run.resolve import resolve_one
    from firstpacket.pipelines.tools.roofline.measurement import by_arithmetic, measured
    from firstpacket.pipelines.tools.roofline.tables import show
    from firstpacket.pipelines.tools.roofline.turns import spread

    choices = [parse_pipeline(text) for text in pipeline]
    check_labels([choice.label for choice in choices])
    given = _published(machine, device, dtype) if machine else None
    options = Options(device=device, dtype="bfloat16" if given and dtype == "auto" else dtype)
    check_values(options)
    systems = [resolve_one(choice, options).system for choice in choices]
    clips = spread(load_corpus(corpus).utterances, turns)
    found = measured(systems, clips, repetitions) if given is None else by_arithmetic(systems, clips, given)
    if json:
        from firstpacket.bench.contract import as_json, text

        typer.echo(text(as_json(found)), nl=False)
    else:
        show(found, clips)


def _published(name: str, device: str, dtype: str) -> Machine:
    """Raises `UsageError` for a machine, or a precision, whose figures are not known."""
    from firstpacket.pipelines.tools.roofline.machine import PUBLISHED

    if name not in PUBLISHED:
        raise UsageError(f"--machine {name}: expected {' or '.join(PUBLISHED)}. Without it, this machine is measured.")
    if device != "cpu":
        raise UsageError(f"--machine {name} computes a floor and runs nothing, so it takes no --device. Remove one.")
    if dtype == "float32":
        raise UsageError(f"--machine {name}: its rate is known in 16 bit only. Use --dtype bfloat16 or float16.")
    return PUBLISHED[name]
