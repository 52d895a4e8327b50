"""The command: load, measure the machine, measure first packets, print measured over floor by stage."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from firstpacket.bench import registry
from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.errors import UsageError
from firstpacket.bench.format import NONE, counted
from firstpacket.bench.metrics.critical_path import critical_path
from firstpacket.bench.options import Options, parse_pipeline
from firstpacket.bench.pipeline import SAMPLE_RATE, Pipeline, Work
from firstpacket.bench.run.executor import TurnConfig
from firstpacket.bench.run.in_process import InProcessExecutor
from firstpacket.bench.run.resolve import Resolved, resolve_one
from firstpacket.bench.stats.quantiles import median
from firstpacket.bench.tables.table import Column, Figure, Table, rows, table, words
from firstpacket.bench.tables.terminal import TerminalTable
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.cuda import GpuRecorder, TorchCuda

command = typer.Typer(
    help="Compare the measured first packet with the machine's lower bound.", invoke_without_command=True
)

WARM_UP = 5
SPEECH_S = 3.0


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: ms on the critical path (median over turns), and its floor."""

    stage: str
    measured_ms: float
    floor_ms: float


@command.callback()
def roofline(
    pipeline: Annotated[
        str, typer.Option("--pipeline", "-p", metavar="NAME[,KEY=VALUE...]", help="Pipeline to measure.")
    ],
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    dtype: Annotated[str, typer.Option(help="float32, float16 or bfloat16.")] = "float32",
    turns: Annotated[int, typer.Option(help="Measured turns, after 5 of warm-up.", min=1, max=10_000)] = 20,
) -> None:
    """Print, by stage, the time on the critical path to the first packet and the machine's lower bound for it."""
    # As for workers: threads that spin while they wait slow their neighbours down. Read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch

    from firstpacket.pipelines.tools.roofline.machine import measure

    place = "cuda:0" if device == "cuda" else device
    choice = parse_pipeline(pipeline)
    if dtype not in ("float32", "float16", "bfloat16"):
        raise UsageError(f"--dtype {dtype}: expected float32, float16 or bfloat16.")
    resolved = resolve_one(choice, Options(device=place, dtype=dtype))
    machine = measure(torch.device(place), getattr(torch, dtype))
    stages = measured_stages(resolved, turns, machine)
    typer.echo(f"{machine.name}: {machine.bandwidth / 1e9:.0f} GB/s copied (read plus written), ", nl=False)
    typer.echo(f"{machine.rate / 1e12:.2f} TFLOP/s {dtype}; {counted(turns, 'turn')}")
    Console(highlight=False).print(TerminalTable(stages_table(stages)))


def measured_stages(resolved: Resolved, turns: int, machine: Any) -> list[Stage]:
    """One row per stage that is known to work or was seen on the path. Raises `UsageError` if the work is unknown."""
    system = resolved.system
    made: list[Pipeline] = []

    class Kept(registry.pipeline(system.pipeline)):  # type: ignore[misc]
        def load(self) -> None:
            super().load()
            made.append(self)

    clock = MonotonicClock()
    gpu = GpuRecorder(TorchCuda(system.device), clock) if system.device.startswith("cuda") else None
    executor = InProcessExecutor(system, clock, Kept, gpu)
    executor.start()
    try:
        work = made[0].work()
        if not work:
            raise UsageError(
                f"Pipeline '{system.pipeline}' does not declare the work of its first packet, so it has no roofline. "
                "Implement work() to add it."
            )
        return _rows(work, [_turn(executor, number) for number in range(WARM_UP + turns)][WARM_UP:], machine)
    finally:
        executor.stop()


COLUMNS: tuple[Column[Stage], ...] = (
    words("stage", lambda stage: stage.stage),
    Column("measured ms", lambda stage: (Figure(f"{stage.measured_ms:.2f}", stage.measured_ms),)),
    Column("floor ms", lambda stage: (Figure(f"{stage.floor_ms:.3f}", stage.floor_ms),)),
    Column("ratio", lambda stage: (f"{stage.measured_ms / stage.floor_ms:.2f}" if stage.floor_ms > 0 else NONE,)),
)


def stages_table(stages: Sequence[Stage]) -> Table:
    """A row per stage, and their total."""
    total = Stage("total", sum(each.measured_ms for each in stages), sum(each.floor_ms for each in stages))
    return table("", COLUMNS, [rows(COLUMNS, stages), rows(COLUMNS, [total], kind="sum")])


def _turn(executor: InProcessExecutor, number: int) -> dict[str, int]:
    """ns on the critical path by stage, of one turn on a fixed noise of 3 s."""
    noise = np.random.default_rng(0).standard_normal(round(SPEECH_S * SAMPLE_RATE)).astype(np.float32) * 0.05
    clip = Utterance("noise", noise, "", SPEECH_S * 1000, "annotated")
    result = executor.run(number, clip, TurnConfig("file", 600_000_000_000))
    if result.outcome != "answered":
        raise UsageError(f"The pipeline did not answer: {result.outcome}. {result.reason}")
    totals: dict[str, int] = defaultdict(int)
    for part in critical_path(result.trace, result.delivery.t0_ns):
        totals[part.stage or "no stage"] += part.ns
    return totals


def _rows(work: tuple[Work, ...], turns: list[dict[str, int]], machine: Any) -> list[Stage]:
    floors = {each.stage: machine.floor_s(each.bytes, each.operations) * 1000 for each in work}
    stages = [*floors, *sorted({stage for turn in turns for stage in turn} - floors.keys())]
    return [
        Stage(stage, median([turn.get(stage, 0) for turn in turns]) / 1e6, floors.get(stage, 0.0)) for stage in stages
    ]
