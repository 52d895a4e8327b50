"""Runs every clip once on every system, as an ordinary run; also silence as a control."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from firstpacket.bench import registry
from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.errors import RunError
from firstpacket.bench.metrics.quality_figures import reply_text
from firstpacket.bench.options import Options, PipelineChoice
from firstpacket.bench.pipeline import SAMPLE_RATE, Settings
from firstpacket.bench.progress import BarProgress, PlainProgress
from firstpacket.bench.record.schema import System
from firstpacket.bench.record.store import Run, read_manifest, read_run
from firstpacket.bench.run import session
from firstpacket.bench.run.executor import TurnConfig
from firstpacket.bench.run.in_process import InProcessExecutor
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.engines import LLM
from firstpacket.pipelines.tools.evaluation.questions import Exam, as_corpus

CORPUS, RUN = "corpus", "run"
DEADLINE_S = 60.0
"""Time limit of a turn, generous because time is not measured here."""
_SILENCE_S = 2


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked, of whom."""

    data: Path
    split: str
    limit: int | None
    seed: int
    choices: tuple[PipelineChoice, ...]
    device: str


def ask(asked: Asked, exam: Exam, out: Path, command: Sequence[str]) -> Run:
    """The finished run in `out`: a new one, or an existing one resumed. Raises `BenchError`."""
    corpus, path = as_corpus(asked.data, exam, out / CORPUS), out / RUN
    console = Console(stderr=True, highlight=False)
    with (BarProgress if console.is_terminal else PlainProgress)(console) as progress:
        if path.exists():
            _refuse_another(path, asked, exam)
            session.resume(path, progress)
        else:
            session.start(_options(asked, corpus, path), command, progress)
    return read_run(path)


def reply_to_silence(plan: System) -> str:
    """The text that a label replies with to two seconds of nothing; empty where it says nothing."""
    silence = np.zeros(_SILENCE_S * SAMPLE_RATE, np.float32)
    clip = Utterance("silence", silence, "", _SILENCE_S * 1000.0, "annotated")
    executor = InProcessExecutor(plan, MonotonicClock())
    executor.start()
    try:
        return reply_text(executor.run(0, clip, TurnConfig("file", round(DEADLINE_S * 1e9))).trace)
    finally:
        executor.stop()


def reply_to_nothing(plan: System, seed: int) -> str | None:
    """What the language model of a cascade replies to an empty question; None where the label has none."""
    if "llm" not in plan.engines:
        return None
    engine = registry.engine("llm", plan.engines["llm"])
    model: LLM = engine(Settings(plan.device, plan.dtype, seed, plan.options))
    model.load()
    try:
        return "".join(model.reply("", Trace(MonotonicClock())))
    finally:
        model.close()


def _options(asked: Asked, corpus: Path, path: Path) -> Options:
    return Options(
        pipelines=asked.choices,
        corpus=str(corpus),
        warmup=0,
        device=asked.device,
        seed=asked.seed,
        out=str(path),
        deadline=DEADLINE_S,
    )


def _refuse_another(path: Path, asked: Asked, exam: Exam) -> None:
    """Raises `RunError` if the run that is there asks other clips or other labels."""
    there = read_manifest(path)
    labels = {(plan.label, plan.pipeline) for plan in there.labels}
    clips = {utterance.id for utterance in there.utterances}
    asks = {(choice.label, choice.name) for choice in asked.choices}
    given = {choice.label: choice.options for choice in asked.choices}
    differs = any(
        str(plan.options.get(name)) != str(value)
        for plan in there.labels
        for name, value in given.get(plan.label, {}).items()
    )
    if labels != asks or differs or clips != {question.clip for question in exam.questions}:
        raise RunError(
            f"{path} is a run of other clips or labels, so it cannot be resumed. Choose another folder "
            "with --out, or remove it."
        )
