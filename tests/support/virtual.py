"""Runs in which pipelines really answer, on virtual time: nothing sleeps, and every figure is exact.

    path = virtual_run(tmp_path / "run", {"quick": "hear; tts 2; packet 50"}, "realtime", count=8)

`support.runs` has runs that are made from numbers instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from firstpacket.bench import registry
from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.record.schema import InputMode, Manifest, System, Turn, UtteranceFacts
from firstpacket.bench.record.store import RunWriter
from firstpacket.bench.run.executor import Executor
from firstpacket.bench.run.in_process import InProcessExecutor
from firstpacket.bench.run.manager import Manager
from firstpacket.bench.run.schedule.base import PlannedTurn
from firstpacket.bench.run.watch import Watch
from firstpacket.bench.timing.clock import VirtualClock
from support.runs import make_manifest, make_segment, make_system


def make_utterance(name: str = "clip-1", seconds: float = 1.0) -> Utterance:
    """A clip that is loud all the way, with 100 ms after the end of speech."""
    samples = np.full(round(16_000 * seconds) + 1600, 0.1, np.float32)
    return Utterance(name, samples, "0" * 64, seconds * 1000, "annotated", f"text of {name}")


def make_utterances(count: int, seconds: float = 0.2) -> tuple[Utterance, ...]:
    return tuple(make_utterance(f"clip-{number}", seconds) for number in range(count))


def make_scripted(label: str, script: str) -> System:
    """The scripted pipeline with a script, as an executor is given it."""
    return make_system(label, options={"script": script}, stages=())


def scripted_manifest(scripts: dict[str, str], clips: tuple[Utterance, ...], **changes: Any) -> Manifest:
    """Each clip once for every label; `scripts` by label."""
    stages = registry.pipeline("scripted").declaration.stages
    asked = {
        "run": "test",
        "turns": len(clips),
        "labels": tuple(
            make_system(label, options={"script": script}, stages=stages) for label, script in scripts.items()
        ),
        "utterances": tuple(facts_of(clip) for clip in clips),
    }
    return make_manifest(**{**asked, **changes})


def facts_of(clip: Utterance) -> UtteranceFacts:
    """What a manifest keeps of a clip."""
    return UtteranceFacts(
        clip.id,
        clip.sha256,
        clip.duration_ms,
        clip.speech_end_ms,
        "annotated",
        clip.text,
        answers=clip.answers,
        answer_rule=clip.answer_rule,
    )


class NoProgress:
    """A progress that says nothing."""

    def loading(self, label: str) -> None: ...

    def begins(self, planned: PlannedTurn, done: int, total: int) -> None: ...

    def ended(self, turn: Turn, done: int, total: int) -> None: ...

    def idling(self, seconds: float) -> None: ...

    def checked(self, said: str) -> None: ...

    def left_running(self, label: str, processes: Sequence[str]) -> None: ...

    def warned(self, said: str) -> None: ...


def run_manager(
    path: Path,
    what: Manifest,
    clips: tuple[Utterance, ...],
    executors: dict[str, Executor] | None = None,
    watch: Watch | None = None,
) -> VirtualClock:
    """A whole run into the folder `path`, in this process unless `executors` say otherwise."""
    clock = VirtualClock()
    answering = executors or {
        system.label: InProcessExecutor(make_scripted(system.label, str(system.options["script"])), clock)
        for system in what.labels
    }
    with RunWriter.create(path, what) as writer:
        Manager(what, writer, answering, clips, NoProgress(), watch=watch, clock=clock).run((), make_segment)
    return clock


def virtual_run(path: Path, scripts: dict[str, str], input: InputMode = "file", count: int = 3, **changes: Any) -> Path:
    """The folder of a run of scripted labels on `count` clips."""
    clips = make_utterances(count)
    run_manager(path, scripted_manifest(scripts, clips, input=input, **changes), clips)
    return path
