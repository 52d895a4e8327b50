"""firstpacket: latency benchmarks for voice assistants, stage by stage, to the first audio packet.

    import firstpacket

    run = firstpacket.run("direct", "cascade", turns=40)
    print(firstpacket.compare(run))
    run.turns()

What `__all__` names is the public API; everything below `firstpacket.bench` and `firstpacket.pipelines` is internal and
may change with any version (docs/python.md). Names are imported when they are used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from firstpacket._api import compare, read, resume, run, runs
    from firstpacket._comparison import Comparison
    from firstpacket._run import Run, Runs
    from firstpacket.bench.errors import (
        BenchError,
        CorpusError,
        InvalidRun,
        MissingDependency,
        NotComparable,
        RunError,
        Stopped,
        UnknownName,
        UsageError,
        WeightsError,
        WorkerError,
    )
    from firstpacket.bench.pipeline import (
        Declaration,
        Match,
        Option,
        Packet,
        Pipeline,
        Requirement,
        Settings,
        Speech,
        Stage,
        TurnEnded,
        Weights,
        Work,
    )
    from firstpacket.bench.quality.scores import Scorer
    from firstpacket.bench.timing.cancellation import TurnCancelled
    from firstpacket.bench.timing.trace import Trace
    from firstpacket.pipelines.cascade.engines import ASR, LLM, TTS

__version__ = "0.1.0"
__all__ = [
    "ASR",
    "LLM",
    "TTS",
    "BenchError",
    "Comparison",
    "CorpusError",
    "Declaration",
    "InvalidRun",
    "Match",
    "MissingDependency",
    "NotComparable",
    "Option",
    "Packet",
    "Pipeline",
    "Requirement",
    "Run",
    "RunError",
    "Runs",
    "Scorer",
    "Settings",
    "Speech",
    "Stage",
    "Stopped",
    "Trace",
    "TurnCancelled",
    "TurnEnded",
    "UnknownName",
    "UsageError",
    "Weights",
    "WeightsError",
    "Work",
    "WorkerError",
    "__version__",
    "compare",
    "read",
    "resume",
    "run",
    "runs",
]

_HOMES = {
    "firstpacket._api": (
        "compare",
        "read",
        "resume",
        "run",
        "runs",
    ),
    "firstpacket._comparison": ("Comparison",),
    "firstpacket._run": (
        "Run",
        "Runs",
    ),
    "firstpacket.bench.errors": (
        "BenchError",
        "CorpusError",
        "InvalidRun",
        "MissingDependency",
        "NotComparable",
        "RunError",
        "Stopped",
        "UnknownName",
        "UsageError",
        "WeightsError",
        "WorkerError",
    ),
    "firstpacket.bench.pipeline": (
        "Declaration",
        "Match",
        "Option",
        "Packet",
        "Pipeline",
        "Requirement",
        "Settings",
        "Speech",
        "Stage",
        "TurnEnded",
        "Weights",
        "Work",
    ),
    "firstpacket.bench.quality.scores": ("Scorer",),
    "firstpacket.bench.timing.cancellation": ("TurnCancelled",),
    "firstpacket.bench.timing.trace": ("Trace",),
    "firstpacket.pipelines.cascade.engines": (
        "ASR",
        "LLM",
        "TTS",
    ),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'firstpacket' has no attribute '{name}'")
    found = globals()[name] = getattr(import_module(_HOME[name]), name)
    return found


def __dir__() -> list[str]:
    return [*__all__]
