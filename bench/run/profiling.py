"""Turns under the GPU's profiler: after all others, and each label's in a process that measures nothing.

A profiler slows what it watches, and CUPTI stays in a process once it has been there. So the measured figures come from
processes that never met it, and these turns say only how long the device really worked.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace

from firstpacket.bench.metrics.gpu_figures import put_under_the_profiler
from firstpacket.bench.record.schema import Manifest, System, Turn
from firstpacket.bench.run.executor import TurnConfig
from firstpacket.bench.run.schedule.base import PlannedTurn
from firstpacket.bench.vocabulary import Flag

TURNS = 3
"""Per label, each on a clip of its own, after one that warms the process up."""
PATIENCE = 10
"""Deadlines are longer by this factor: every launch is recorded, and the trace is written before the reply."""


def profiled_labels(manifest: Manifest) -> tuple[System, ...]:
    """The labels that are to be profiled: those on a GPU, as this version of the code has them."""
    wanted = manifest.options.profile_gpu
    return tuple(system for system in manifest.labels if wanted and _on_gpu(system) and not system.source)


def profiled_turns(
    label: str, clips: Sequence[str], seed: int, already: Iterable[Turn] = ()
) -> tuple[PlannedTurn, ...]:
    """One to warm up (block -1), then those that count and are not on record yet; empty if all are."""
    there = {turn.block for turn in already if turn.label == label and put_under_the_profiler(turn)}
    chosen = random.Random(f"{seed}/profiled").sample(list(clips), min(TURNS, len(clips)))
    turns = [PlannedTurn(0, block, "profiled", label, clip) for block, clip in enumerate(chosen) if block not in there]
    return (PlannedTurn(0, -1, "profiled", label, chosen[0], (Flag.NOT_WARMED_UP,)), *turns) if turns else ()


def patient(config: TurnConfig) -> TurnConfig:
    """The configuration of such a turn."""
    return replace(config, deadline_ns=config.deadline_ns * PATIENCE)


def profiling_notices(wanted: bool, systems: Sequence[System]) -> tuple[str, ...]:
    """Said where the profiler was asked for and there is nothing to profile."""
    on_cpu = [system.label for system in systems if not _on_gpu(system)]
    if not wanted or not on_cpu:
        return ()
    return (f"--profile-gpu: {', '.join(on_cpu)} on the CPU: there is no GPU whose busy time could be seen.",)


def _on_gpu(system: System) -> bool:
    return system.device.startswith("cuda")
