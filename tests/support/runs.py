"""The one factory of runs: every part has defaults of the right types, and a test names what matters to it.

    make_turn(label="direct", utterance="clip-3", flags=("truncated",))
    make_run({"direct": [100, 110, "timeout"], "cascade": [{"asr": 300, "tts": 100}] * 3}, keep_audio=True)

No pipeline answers here and nothing is timed; `support.virtual` has runs in which one does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from firstpacket.bench.metrics.definitions import versions
from firstpacket.bench.metrics.figures import turn_figures
from firstpacket.bench.metrics.late_microphone import EDGES_MS
from firstpacket.bench.metrics.quality_figures import Reference
from firstpacket.bench.options import Options
from firstpacket.bench.pipeline import Weights
from firstpacket.bench.record.schema import (
    SCHEMA,
    Delivery,
    Evidence,
    LabelFacts,
    Manifest,
    PathPart,
    Segment,
    System,
    Turn,
    UtteranceFacts,
)
from firstpacket.bench.record.store import Run, RunWriter
from firstpacket.bench.timing.spans import TurnTrace
from firstpacket.bench.vocabulary import Flag, Outcome
from support.stages import KINDS, stage

MS = 1_000_000
T = TypeVar("T", Manifest, Evidence)
CREATED = "2026-01-01T00:00:00+00:00"
STAGES = (stage("asr", "listen"), stage("llm.decode", "think"), stage("tts", "speak"))
CLIPS = 8
ENVIRONMENT = {
    "cpu": "Some CPU",
    "cores_usable": 2,
    "python": "3.11.7",
    "os": "Linux-6.1",
    "git_revision": "0123456789ab",
}
HOSTILE = '<script>alert(1)</script> | `x` [a](https://evil.example) @team www.evil.example\n# "q" \\ \ufffe $x$ *b*'
"""What a text of a run may hold: a clip's name, a reason, a GPU's name."""

Timing = float | Mapping[str, float] | Outcome
"""What came of a turn: its first packet, ms; the ms that stages took of it, one after the other; or no answer."""
Timings = Mapping[str, Sequence[Timing]]
"""By label, in the order of the turns."""

LATE: Mapping[str, Any] = {
    "flags": (Flag.LATE_MICROPHONE,),
    "lateness": (*(0,) * len(EDGES_MS), 1),
    "figures": {"late_frames": 1},
}
"""A turn whose microphone was late; a run of such turns is invalid."""

SYSTEM = System(label="a", pipeline="scripted", device="cpu", dtype="float32", options={}, stages=STAGES)
FACTS = LabelFacts(label="a", load_ns=5 * MS, pid=1, weights=(Weights("llm", "published", "published weights"),))
UTTERANCE = UtteranceFacts(
    id="clip-0", sha256="0" * 64, duration_ms=1000.0, speech_end_ms=900.0, speech_end_source="annotated"
)
MANIFEST = Manifest(
    schema=SCHEMA,
    run="made",
    created=CREATED,
    command=("bench", "run"),
    options=Options(keep_audio=False, deadline=5.0, threads=1),
    turns=CLIPS,
    warmup=1,
    labels=(),
    corpus="made",
    corpus_source="made",
    corpus_sha256="c" * 64,
    utterances=(),
)
SEGMENT = Segment(
    segment=0,
    started=CREATED,
    wall_ns=0,
    monotonic_ns=0,
    environment={},
    packages={},
    labels=(),
    metrics=versions(),
)
DELIVERY = Delivery(t0_ns=0, start_ns=0, last_frame_ns=0, lateness_ns=(0,))
EVIDENCE = Evidence(
    turn=0,
    label="a",
    utterance="clip-0",
    outcome="answered",
    delivery=DELIVERY,
    trace=TurnTrace(),
    kinds=KINDS,
)
TURN = Turn(
    turn=0,
    segment=0,
    block=0,
    phase="measured",
    label="a",
    utterance="clip-0",
    outcome="answered",
    figures={},
    path=(),
    path_error_ns=0,
    hidden={},
    evidence_at=0,
    evidence_bytes=0,
    evidence_crc32=0,
)


def make_system(label: str = "a", **changes: Any) -> System:
    return replace(SYSTEM, label=label, **changes)


def make_facts(label: str = "a", **changes: Any) -> LabelFacts:
    return replace(FACTS, label=label, **changes)


def make_utterance_facts(count: int, clip: str = "clip", **changes: Any) -> tuple[UtteranceFacts, ...]:
    return tuple(replace(UTTERANCE, id=f"{clip}-{number}", **changes) for number in range(count))


def make_manifest(**changes: Any) -> Manifest:
    """`changes` are of the manifest, or of the options of its run."""
    return with_options(MANIFEST, **changes)


def make_segment(number: int = 0, labels: tuple[LabelFacts, ...] = (), **changes: Any) -> Segment:
    return replace(SEGMENT, segment=number, labels=labels, **changes)


def make_delivery(t0_ns: int = 0, **changes: Any) -> Delivery:
    """Everything was handed over at once."""
    return replace(DELIVERY, **{"t0_ns": t0_ns, "start_ns": t0_ns, "last_frame_ns": t0_ns, **changes})


def make_evidence(trace: TurnTrace = EVIDENCE.trace, **changes: Any) -> Evidence:
    """`changes` are of the evidence, or of the options of its run."""
    return with_options(EVIDENCE, trace=trace, **changes)


def with_options(whole: T, **changes: Any) -> T:
    """A manifest or evidence with changes of its own, and of the options that it has."""
    names = {each.name for each in fields(whole)}  # type: ignore[arg-type]
    options = {name: changes.pop(name) for name in [*changes] if name not in names}
    return replace(whole, **{"options": replace(whole.options, **options), **changes})  # type: ignore


def make_turn(came_of_it: Timing | None = None, **changes: Any) -> Turn:
    """A measured turn; with a timing, it has the figures and the path that follow. `figures` come on top of these."""
    if came_of_it is None or isinstance(came_of_it, str):
        return replace(TURN, **({"outcome": came_of_it} if came_of_it else {}), **changes)
    path = _path(came_of_it)
    first = sum(part.ns for part in path)
    figures = {"first_packet_latency": first, "response_latency": first + 10 * MS, "packets": 3}
    figures |= {f"stage.{part.stage}.host": part.ns for part in path[:1] if part.stage}
    return replace(TURN, path=path, **{**changes, "figures": figures | changes.get("figures", {})})


def _path(timing: float | Mapping[str, float]) -> tuple[PathPart, ...]:
    """A plain number is a third `asr`, the rest `tts`."""
    if isinstance(timing, Mapping):
        return tuple(PathPart(stage, "host", round(ms * MS)) for stage, ms in timing.items())
    first = round(timing * MS)
    return PathPart("asr", "host", first // 3), PathPart("tts", "host", first - first // 3)


def make_run(
    given: Timings | Sequence[Turn],
    *,
    path: Path = Path("somewhere"),
    clip: str = "clip",
    clips: int = CLIPS,
    turn: Mapping[str, Any] | None = None,
    system: Mapping[str, Any] | None = None,
    systems: Mapping[str, Mapping[str, Any]] | None = None,
    facts: Mapping[str, Any] | None = None,
    environment: Mapping[str, Any] | None = None,
    segment: Mapping[str, Any] | None = None,
    **manifest: Any,
) -> Run:
    """A run of these turns, or of these timings: turn i of a label is on clip `i % clips`, in block `i // clips`.

    What is not as usual: `turn` of every timed turn, `system` and `facts` of every label, `systems` by label,
    `environment` of the machine, `segment` else, and by its own name whatever the manifest says.
    """
    turns = _timed(given, clip, clips, turn or {}) if isinstance(given, Mapping) else tuple(given)
    labels = given if isinstance(given, Mapping) else dict.fromkeys(each.label for each in turns)
    asked = {
        "labels": tuple(make_system(label, **{**(system or {}), **(systems or {}).get(label, {})}) for label in labels),
        "turns": max((len(row) for row in given.values()), default=0) if isinstance(given, Mapping) else clips,
        "utterances": make_utterance_facts(clips, clip),
    }
    seen = {
        "labels": tuple(make_facts(label, **(facts or {})) for label in labels),
        "environment": {**ENVIRONMENT, **(environment or {})},
    }
    whole = make_segment(**{**seen, **(segment or {})})
    return Run(path, make_manifest(**{**asked, **manifest}), (whole,), turns)


def _timed(timings: Timings, clip: str, clips: int, changes: Mapping[str, Any]) -> tuple[Turn, ...]:
    turns = [
        make_turn(timing, label=label, utterance=f"{clip}-{at % clips}", block=at // clips, **changes)
        for label, row in timings.items()
        for at, timing in enumerate(row)
    ]
    return tuple(replace(turn, turn=number) for number, turn in enumerate(turns))


def turn_from(evidence: Evidence, asked: Reference | None = None, **changes: Any) -> Turn:
    """The turn with the figures that its evidence has; `asked` is its clip."""
    found = turn_figures(evidence, asked)
    return make_turn(
        turn=evidence.turn,
        label=evidence.label,
        utterance=evidence.utterance,
        outcome=evidence.outcome,
        figures=found.figures,
        path=found.path,
        path_error_ns=found.path_error_ns,
        hidden=found.hidden,
        **changes,
    )


def write_run(folder: Path, run: Run) -> Path:
    """The run as a folder on disk, without evidence."""
    with RunWriter.create(folder, run.manifest) as writer:
        for segment in run.segments:
            writer.segment(segment)
        for turn in run.turns:
            writer.turn(turn)
    return folder


@dataclass(frozen=True)
class MemoryRun(Run):
    """A run whose evidence, by number of turn, is at hand instead of on disk."""

    given: Mapping[int, Evidence] = field(default_factory=dict)

    def evidence(self, turn: Turn) -> Evidence:
        return self.given[turn.turn]
