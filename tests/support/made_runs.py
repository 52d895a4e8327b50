"""Runs made from numbers, for what reads runs: no pipeline answers, nothing is timed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from firstpacket.bench.metrics.definitions import versions
from firstpacket.bench.metrics.microphone import EDGES_MS, LATE_MICROPHONE
from firstpacket.bench.pipeline import Stage, Weights
from firstpacket.bench.record.schema import (
    SCHEMA,
    LabelFacts,
    Manifest,
    Outcome,
    PathPart,
    Segment,
    System,
    Turn,
    UtteranceFacts,
)
from firstpacket.bench.record.store import Run, RunWriter

MS = 1_000_000
CLIPS = 8
STAGES = (Stage("asr", "listen"), Stage("tts", "speak"))
HOSTILE = '<script>alert(1)</script> | `x` [a](https://evil.example) @team www.evil.example\n# "q" \\ \ufffe $x$ *b*'
"""What a text of a run may hold: a clip's name, a reason, a GPU's name."""
Values = Mapping[str, Sequence[float | Outcome]]
"""By label: the first packet of each measured turn, ms, or the outcome that it came to instead."""


def made_run(
    values: Values,
    name: str = "made",
    created: str = "2026-01-01T00:00:00+00:00",
    *,
    environment: Mapping[str, str | int | None] | None = None,
    origin: str = "published",
    options: Mapping[str, str] | None = None,
    device: str = "cpu",
    reason: str = "",
    clip: str = "clip",
    late: bool = False,
    path: Path = Path("somewhere"),
    **manifest: object,
) -> Run:
    """A run of the given figures; a third of every first packet is `asr`, the rest `tts`.

    `late`: the microphone was, in every turn, so that the run is invalid.
    """
    plans = tuple(System(label, "scripted", device, "float32", dict(options or {}), STAGES) for label in values)
    weights = Weights("llm", origin, f"{origin} weights")  # type: ignore[arg-type]
    facts = tuple(LabelFacts(label, 5 * MS, 1, (weights,) if origin else ()) for label in values)
    known = {
        "cpu": "Some CPU",
        "cores_usable": 2,
        "python": "3.11.7",
        "os": "Linux-6.1",
        "git_revision": "0123456789ab",
    }
    turns = [
        _turn(label, f"{clip}-{at % CLIPS}", at, value, reason)
        for label in values
        for at, value in enumerate(values[label])
    ]
    return Run(
        path,
        _manifest(name, created, plans, max(map(len, values.values())), clip, manifest),
        (Segment(0, created, 0, 0, {**known, **(environment or {})}, {}, facts, versions()),),
        tuple(_late(turn) if late else turn for turn in _numbered(turns)),
    )


def written_run(folder: Path, values: Values, **said: object) -> Path:
    """`made_run` as a folder on disk (without evidence)."""
    run = made_run(values, **said)  # type: ignore[arg-type]
    with RunWriter.create(folder, run.manifest) as writer:
        for segment in run.segments:
            writer.segment(segment)
        for turn in run.turns:
            writer.turn(turn)
    return folder


def _turn(label: str, clip: str, block: int, value: float | Outcome, reason: str) -> Turn:
    if isinstance(value, str):
        return Turn(0, 0, block, "measured", label, clip, value, {}, (), 0, {}, 0, 0, 0, (), reason)
    first, asr = round(value * MS), round(value * MS) // 3
    figures = {"first_packet_latency": first, "response_latency": first + 10 * MS, "stage.asr.host": asr, "packets": 3}
    path = (PathPart("asr", "host", asr), PathPart("tts", "host", first - asr))
    return Turn(0, 0, block, "measured", label, clip, "answered", figures, path, 0, {}, 0, 0, 0, (), reason)


def _late(turn: Turn) -> Turn:
    lateness = (*(0,) * len(EDGES_MS), 1)
    figures = {**turn.figures, "late_frames": 1}
    return replace(turn, flags=(LATE_MICROPHONE,), lateness=lateness, figures=figures)


def _numbered(turns: Sequence[Turn]) -> list[Turn]:
    return [replace(turn, turn=number) for number, turn in enumerate(turns)]


def _manifest(
    name: str, created: str, plans: tuple[System, ...], turns: int, clip: str, said: Mapping[str, object]
) -> Manifest:
    clips = tuple(UtteranceFacts(f"{clip}-{at}", "0" * 64, 1000.0, 900.0, "annotated") for at in range(CLIPS))
    values: dict[str, object] = {
        "schema": SCHEMA,
        "run": name,
        "created": created,
        "command": ("bench", "run"),
        "input": "file",
        "t0": "end of speech",
        "turns": turns,
        "warmup": 1,
        "seed": 0,
        "deadline_ms": 5000.0,
        "threads": 1,
        "keep_audio": False,
        "labels": plans,
        "corpus": "made",
        "corpus_source": "made",
        "corpus_sha256": "c" * 64,
        "limit": None,
        "trim_to_s": None,
        "utterances": clips,
    }
    return Manifest(**{**values, **said})  # type: ignore[arg-type]
