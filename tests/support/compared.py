"""Runs made by hand for comparisons: what every turn took, by role, is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from firstpacket.bench.pipeline import Stage, Weights
from firstpacket.bench.record.schema import SCHEMA, LabelFacts, Manifest, Outcome, PathPart, Segment, System, Turn
from firstpacket.bench.record.store import Run

MS = 1_000_000
STAGES = (Stage("asr", "listen"), Stage("llm.decode", "think"), Stage("tts", "speak"))
Parts = Mapping[str, int]
"""Time by stage, ns; that of no stage under an empty name."""


def run_of_paths(
    labels: Mapping[str, Sequence[Parts | None]],
    *,
    name: str = "monday",
    clips: int = 8,
    environment: Mapping[str, Any] | None = None,
    definitions: Mapping[str, int] | None = None,
    weights: Sequence[Weights] = (),
    plans: Mapping[str, Mapping[str, Any]] | None = None,
    figures: Mapping[str, int] | None = None,
    **manifest: Any,
) -> Run:
    """Turn i of every label is on clip `i % clips` in block `i // clips`; None is a timeout."""
    changed = plans or {}
    all_plans = tuple(
        System(**{**_plan(label), **changed.get(label, {})})  # type: ignore[arg-type]
        for label in labels
    )
    turns = [
        _turn(number, label, f"clip-{number % clips}", number // clips, parts, figures or {})
        for label, rows in labels.items()
        for number, parts in enumerate(rows)
    ]
    facts = tuple(LabelFacts(label, 5 * MS, 1, tuple(weights)) for label in labels)
    said = {"schema": SCHEMA, "run": name, "notices": (), "labels": all_plans, "threads": 1, "utterances": ()}
    return Run(
        Path(name),
        Manifest(**{item.name: "" for item in fields(Manifest)} | said | manifest),  # type: ignore[arg-type]
        (Segment(0, "", 0, 0, dict(environment or {}), {}, facts, dict(definitions or {})),),
        tuple(turns),
    )


def _plan(label: str) -> dict[str, Any]:
    return {"label": label, "pipeline": "made", "device": "cpu", "dtype": "float32", "options": {}, "stages": STAGES}


def _turn(number: int, label: str, clip: str, block: int, parts: Parts | None, figures: Mapping[str, int]) -> Turn:
    outcome: Outcome = "timeout" if parts is None else "answered"
    known = {} if parts is None else {"first_packet_latency": sum(parts.values()), **figures}
    path = tuple(PathPart(stage, "host", ns) for stage, ns in (parts or {}).items())
    return Turn(number, 0, block, "measured", label, clip, outcome, known, path, 0, {}, 0, 0, 0)
