"""Turns under the GPU profiler: after all others, in a separate process per system.

A profiler slows what it observes, and CUPTI stays active in a process once it was loaded. So measured figures come from
processes without it, and profiled turns only show how long the device really worked.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace

from firstpacket.bench.metrics.gpu_figures import is_profiled
from firstpacket.bench.record.schema import Manifest, System, Turn
from firstpacket.bench.run.executor import TurnConfig
from firstpacket.bench.run.schedule.base import PlannedTurn
from firstpacket.bench.vocabulary import Flag

TURNS = 3
"""Per system, each on another clip, after one warm-up turn."""
PATIENCE = 10
"""Deadlines are longer by this factor: every launch is recorded, and the trace is written before the reply."""


def profiled_labels(manifest: Manifest) -> tuple[System, ...]:
    """The systems to profile: those on a GPU that run this version of the code."""
    wanted = manifest.options.profile_gpu
    return tuple(system for system in manifest.labels if wanted and _on_gpu(system) and not system.source)


def profiled_turns(
    label: str, clips: Sequence[str], seed: int, already: Iterable[Turn] = ()
) -> tuple[PlannedTurn, ...]:
    """A warm-up turn (block -1), then those that are not recorded yet; empty if all are."""
    recorded = {turn.block for turn in already if turn.label == label and is_profiled(turn)}
    chosen = random.Random(f"{seed}/profiled").sample(list(clips), min(TURNS, len(clips)))
    turns = [
        PlannedTurn(0, block, "profiled", label, clip) for block, clip in enumerate(chosen) if block not in recorded
    ]
    return (PlannedTurn(0, -1, "profiled", label, chosen[0], (Flag.NOT_WARMED_UP,)), *turns) if turns else ()


def patient(config: TurnConfig) -> TurnConfig:
    """The configuration of such a turn; it is whole, since a profile is of all its work."""
    return replace(config, deadline_ns=config.deadline_ns * PATIENCE, leave_after="reply")


def profiling_notices(wanted: bool, systems: Sequence[System]) -> tuple[str, ...]:
    """Notices on systems that `--profile-gpu` cannot profile."""
    on_cpu = [system.label for system in systems if not _on_gpu(system)]
    if not wanted or not on_cpu:
        return ()
    return (f"--profile-gpu has no effect on {', '.join(on_cpu)}, which ran on the CPU.",)


def _on_gpu(system: System) -> bool:
    return system.device.startswith("cuda")
