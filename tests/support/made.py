"""Small corpora, manifests and runs for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from firstpacket.bench import registry
from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.metrics.definitions import versions
from firstpacket.bench.record.schema import (
    SCHEMA,
    InputMode,
    LabelFacts,
    Manifest,
    Segment,
    System,
    Turn,
    UtteranceFacts,
)
from firstpacket.bench.record.store import RunWriter
from firstpacket.bench.run.executor import Executor
from firstpacket.bench.run.in_process import InProcessExecutor
from firstpacket.bench.run.manager import Manager
from firstpacket.bench.run.schedule.base import PlannedTurn
from firstpacket.bench.timing.clock import VirtualClock


def utterance(name: str = "clip-1", seconds: float = 1.0) -> Utterance:
    samples = np.full(round(16_000 * seconds) + 1600, 0.1, np.float32)
    return Utterance(name, samples, "0" * 64, seconds * 1000, "annotated", f"text of {name}")


def utterances(count: int, seconds: float = 0.2) -> tuple[Utterance, ...]:
    return tuple(utterance(f"clip-{number}", seconds) for number in range(count))


def request(label: str, script: str) -> System:
    return System(label, "scripted", "cpu", "float32", {"script": script})


def manifest(scripts: dict[str, str], clips: tuple[Utterance, ...], **changes: object) -> Manifest:
    stages = registry.pipeline("scripted").declaration.stages
    values: dict[str, object] = {
        "schema": SCHEMA,
        "run": "test",
        "created": "2026-01-01T00:00:00+00:00",
        "command": ("bench", "run"),
        "input": "file",
        "t0": "end of speech",
        "turns": len(clips),
        "warmup": 1,
        "seed": 0,
        "deadline_ms": 5000.0,
        "threads": 1,
        "keep_audio": False,
        "labels": tuple(
            System(label, "scripted", "cpu", "float32", {"script": script}, stages) for label, script in scripts.items()
        ),
        "corpus": "made",
        "corpus_source": "made",
        "corpus_sha256": "0" * 64,
        "limit": None,
        "trim_to_s": None,
        "utterances": tuple(
            UtteranceFacts(
                clip.id, clip.sha256, clip.duration_ms, clip.speech_end_ms, "annotated", clip.text, answers=clip.answers
            )
            for clip in clips
        ),
    }
    return Manifest(**{**values, **changes})  # type: ignore[arg-type]


class Silence:
    """A progress that says nothing."""

    def loading(self, label: str) -> None: ...

    def begins(self, planned: PlannedTurn, done: int, total: int) -> None: ...

    def ended(self, turn: Turn, done: int, total: int) -> None: ...

    def idling(self, seconds: float) -> None: ...

    def looked(self, said: str) -> None: ...


def segment(number: int, labels: tuple[LabelFacts, ...]) -> Segment:
    return Segment(number, "2026-01-01T00:00:00+00:00", 0, 0, {}, {}, labels, versions())


def run(
    path: Path, what: Manifest, clips: tuple[Utterance, ...], executors: dict[str, Executor] | None = None
) -> VirtualClock:
    """A whole run on virtual time, unless `executors` say otherwise."""
    clock = VirtualClock()
    answering = executors or {
        plan.label: InProcessExecutor(request(plan.label, str(plan.options["script"])), clock) for plan in what.labels
    }
    with RunWriter.create(path, what) as writer:
        Manager(what, writer, answering, clips, Silence(), clock=clock).run((), segment)
    return clock


def virtual_run(
    path: Path, scripts: dict[str, str], input: InputMode = "file", count: int = 3, **changes: object
) -> Path:
    clips = utterances(count)
    run(path, manifest(scripts, clips, input=input, **changes), clips)
    return path
