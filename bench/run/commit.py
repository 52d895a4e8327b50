"""Writes a turn's result as two lines: the evidence, then the narrow line of its figures, which commits it."""

from __future__ import annotations

from dataclasses import fields, replace

from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.metrics.figures import TurnFigures, heard_outcome, turn_figures
from firstpacket.bench.record.schema import Evidence, Manifest, Turn, TurnResult
from firstpacket.bench.record.store import RunWriter
from firstpacket.bench.record.telemetry import Telemetry
from firstpacket.bench.run.schedule.base import PlannedTurn
from firstpacket.bench.sanitize import reason
from firstpacket.bench.timing.spans import TurnTrace


def commit(
    writer: RunWriter,
    manifest: Manifest,
    segment: int,
    planned: PlannedTurn,
    clip: Utterance,
    result: TurnResult,
    telemetry: Telemetry | None = None,
) -> Turn:
    """Write a turn to disk; returns its narrow line."""
    evidence = Evidence(
        **{each.name: getattr(result, each.name) for each in fields(result)},
        label=planned.label,
        utterance=planned.utterance,
        options=manifest.options,
        due_ns=planned.due_ns,
        telemetry=telemetry,
        kinds=next((system.kinds for system in manifest.labels if system.label == planned.label), {}),
    )
    evidence, found = _with_figures(replace(evidence, outcome=heard_outcome(evidence)), clip)
    at, size, checksum = writer.evidence(evidence)
    turn = Turn(
        evidence.turn,
        segment,
        planned.block,
        planned.phase,
        planned.label,
        planned.utterance,
        evidence.outcome,
        found.figures,
        found.path,
        found.path_error_ns,
        found.hidden,
        at,
        size,
        checksum,
        (*evidence.flags, *found.flags, *planned.flags),
        evidence.reason or (evidence.profile.problem if evidence.profile is not None else ""),
        found.lateness,
    )
    writer.turn(turn)
    return turn


def _with_figures(evidence: Evidence, clip: Utterance) -> tuple[Evidence, TurnFigures]:
    """A nonsensical trace must fail its turn, not the run."""
    try:
        return evidence, turn_figures(evidence, clip)
    except Exception as error:
        why = f"no figures could be derived: {reason(error)}"
        evidence = replace(evidence, outcome="failed", trace=TurnTrace(), reason=why)
        return evidence, turn_figures(evidence, clip)
