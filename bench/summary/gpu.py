"""GPU utilisation by stage: busy time in turns under the profiler against windows in measured turns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Annotated

from firstpacket.bench.contract import Keyed, computed
from firstpacket.bench.metrics.gpu_figures import is_profiled
from firstpacket.bench.record.schema import System, Turn
from firstpacket.bench.timing.clock import NS_PER_MS


@dataclass(frozen=True, slots=True)
class GpuStage:
    """One stage's time on the GPU, ms: means over the profiled turns."""

    stage: str
    busy_ms: float
    window_ms: float | None
    """Between its events in the measured turns of the same clips (each clip's median); None for a stage without any."""

    @computed
    def share(self) -> float | None:
        """Share of its window in which the device was busy."""
        return self.busy_ms / self.window_ms if self.window_ms else None


@dataclass(frozen=True, slots=True)
class LabelGpu:
    """The profiled turns of a system, ms: means over those that have a profile."""

    turns: int
    problems: dict[str, int]
    """Why the others have none, and how many."""
    lost_launches: int
    """Over all turns: launches that the profiler did not record; busy times are too low by these."""
    busy_ms: float | None
    unassigned_ms: float | None
    """Work that no stage launched, within `busy_ms`."""
    stages: Annotated[tuple[GpuStage, ...], Keyed("stage")]


def label_gpu(turns: Sequence[Turn], plan: System) -> LabelGpu | None:
    """From all turns of one system; None if none ran under the profiler."""
    planned = [turn for turn in turns if is_profiled(turn)]
    if not planned:
        return None
    profiled = [turn for turn in planned if "gpu_busy" in turn.figures]
    windows = [turn for turn in turns if turn.is_measured and turn.is_answered]
    worked = {name.split(".", 1)[1].rpartition(".")[0] for turn in profiled for name in turn.figures if _is_busy(name)}
    declared = [stage.id for stage in plan.stages if stage.id in worked]
    return LabelGpu(
        turns=len(profiled),
        problems=dict(Counter(turn.reason or turn.outcome for turn in planned if turn not in profiled)),
        lost_launches=sum(int(turn.figures.get("gpu_lost_launches", 0)) for turn in profiled),
        busy_ms=_mean_ms(profiled, "gpu_busy"),
        unassigned_ms=_mean_ms(profiled, "gpu_busy_unassigned"),
        stages=tuple(_stage(stage, profiled, windows) for stage in (*declared, *sorted(worked.difference(declared)))),
    )


def _stage(stage: str, profiled: Sequence[Turn], measured: Sequence[Turn]) -> GpuStage:
    windows = [_window_ms(stage, turn.utterance, measured) for turn in profiled]
    known = [window for window in windows if window is not None]
    busy_ms = _mean_ms(profiled, f"stage.{stage}.busy") or 0.0
    return GpuStage(stage, busy_ms, fmean(known) if known and len(known) == len(windows) else None)


def _window_ms(stage: str, clip: str, measured: Sequence[Turn]) -> float | None:
    name = f"stage.{stage}.gpu"
    found = [turn.figures[name] for turn in measured if turn.utterance == clip and name in turn.figures]
    return median(found) / NS_PER_MS if found else None


def _mean_ms(turns: Sequence[Turn], name: str) -> float | None:
    """A turn without the figure had no such work."""
    return fmean(turn.figures.get(name, 0) for turn in turns) / NS_PER_MS if turns else None


def _is_busy(name: str) -> bool:
    return name.startswith("stage.") and name.endswith(".busy")
