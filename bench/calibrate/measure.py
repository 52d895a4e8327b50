"""Runs the cases in a real worker process on the real clock, and compares every figure with the truth."""

from __future__ import annotations

import math
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from firstpacket.bench import registry
from firstpacket.bench.calibrate.cases import CASES, SPEECH_S, Case, PathTruth
from firstpacket.bench.calibrate.ground_truth import OwnStamps, own_stamps
from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.errors import WorkerError
from firstpacket.bench.metrics.definitions import FIRST_AUDIBLE
from firstpacket.bench.options import Options
from firstpacket.bench.pipeline import SAMPLE_RATE
from firstpacket.bench.record.schema import SCHEMA, InputMode, LabelFacts, Manifest, Segment, System, Turn
from firstpacket.bench.record.store import Run, RunWriter, read_run
from firstpacket.bench.run.manager import Manager, Progress
from firstpacket.bench.run.process import ProcessExecutor
from firstpacket.bench.vocabulary import flags_from

FIRST_PACKET = "first packet"
NEGATIVE = "answers before t0"
AUDIBLE = "first audible"
STALLS = "stalls"
STAGES = "stage times"
PATH = "path parts"
FIGURES = (FIRST_PACKET, NEGATIVE, AUDIBLE, STALLS, STAGES, PATH)
"""What is compared. Of stage times and path parts the worst of each turn counts, so that none hides another."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Results turn by turn: errors in ns by figure (reported minus true), and delays reported separately."""

    turns: int
    errors_ns: dict[str, list[int]]
    hand_over_ns: dict[InputMode, list[int]]
    """From t0 to the moment when the pipeline had received all speech."""
    oversleep_ns: list[int]
    """How much longer than scripted the pipeline's steps took; not an error of the harness."""
    events: list[int]
    """Recordings of the instrument in each turn."""
    event_cost_ns: int


def measure(turns: int, environment: Mapping[str, str], progress: Progress) -> Measured:
    """Run at least `turns` turns, equally many of each case. Raises `WorkerError` if a turn is not answered."""
    found = Measured(0, defaultdict(list), defaultdict(list), [], [], 0)
    costs = []
    with tempfile.TemporaryDirectory(prefix="bench-calibrate-") as folder:
        for mode in get_args(InputMode):
            cases = {f"case-{number}": case for number, case in enumerate(CASES) if case.input == mode}
            run = _run(Path(folder) / mode, mode, cases, math.ceil(turns / len(CASES)), environment, progress)
            costs += [facts.event_cost_ns for segment in run.segments for facts in segment.labels]
            for turn in run.turns:
                if turn.is_measured:
                    _compare(run, turn, cases[turn.label], found)
    return Measured(
        len(found.events), found.errors_ns, found.hand_over_ns, found.oversleep_ns, found.events, max(costs)
    )


def check_usable(turn: Turn) -> None:
    """Raises `WorkerError` for a turn that did not follow its script.

    A busy machine is no reason: the point is how exact figures are on this machine as it is.
    """
    odd = [flag for flag in turn.flags if flag not in flags_from("host")]
    if not turn.is_answered or odd:
        raise WorkerError(
            f"A turn of the scripted pipeline ended as '{turn.outcome}' ({turn.reason or ', '.join(odd)}) instead of "
            "answering. Try again; if it happens again, please report it."
        )


def _compare(run: Run, turn: Turn, case: Case, found: Measured) -> None:
    check_usable(turn)
    evidence = run.evidence(turn)
    own, t0_ns = own_stamps(case.script, evidence.trace), evidence.delivery.t0_ns
    for figure, error_ns in errors(case, turn, own, t0_ns).items():
        found.errors_ns[figure].append(error_ns)
    found.hand_over_ns[case.input].append(own.heard_ns() - t0_ns)
    for steps in own.steps.values():
        found.oversleep_ns.extend(step.oversleep_ns for step in steps if step.oversleep_ns is not None)
    found.events.append(evidence.trace.events)


def errors(case: Case, turn: Turn, own: OwnStamps, t0_ns: int) -> dict[str, int]:
    """Reported minus true in ns, for every figure of the case.

    With file input the truth starts when the pipeline had received the speech, by its own stamp, so the hand-over to it
    counts as an error. With realtime input t0 is a point of the schedule, `t0_ns`, not an event in the pipeline.
    """
    start_ns = own.heard_ns() if case.input == "file" else t0_ns
    reported = turn.figures
    result = {
        FIRST_PACKET: int(reported["first_packet_latency"]) - (own.packets[0].ended_ns - start_ns),
        AUDIBLE: int(reported[FIRST_AUDIBLE]) - (case.audible_ns(own) - start_ns),
        STALLS: int(reported["stall_total"]) - own.stall_ns(),
        STAGES: _worst({stage: int(reported[f"stage.{stage}.host"]) - ns for stage, ns in own.stages().items()}),
    }
    if case.path is None:
        result[NEGATIVE] = result[FIRST_PACKET]
    else:
        parts: PathTruth = {(part.stage, part.kind): part.ns for part in turn.path}
        parts |= {(stage, "hidden"): ns for stage, ns in turn.hidden.items()}
        truth = case.path(own)
        # Until the pipeline had received the speech no stage worked, and the path must say so.
        truth["", "unattributed"] = truth.get(("", "unattributed"), 0) + own.heard_ns() - t0_ns
        result[PATH] = _worst({key: parts.get(key, 0) - truth.get(key, 0) for key in parts.keys() | truth.keys()})
    return result


def _worst(errors_ns: Mapping[object, int]) -> int:
    return max(errors_ns.values(), key=abs)


def _run(
    path: Path,
    mode: InputMode,
    cases: Mapping[str, Case],
    turns: int,
    environment: Mapping[str, str],
    progress: Progress,
) -> Run:
    manifest = _manifest(mode, cases, turns)
    seconds = SPEECH_S[mode]
    speech = np.full(round(seconds * SAMPLE_RATE), 0.1, np.float32)
    utterance = Utterance("speech", speech, "", seconds * 1000, "annotated")
    workers = {
        system.label: ProcessExecutor(system, path / f"worker-{system.label}.log", environment)
        for system in manifest.labels
    }
    with RunWriter.create(path, manifest) as writer:
        Manager(manifest, writer, workers, (utterance,), progress).run((), _segment)
    return read_run(path)


def _manifest(mode: InputMode, cases: Mapping[str, Case], turns: int) -> Manifest:
    stages = registry.pipeline("scripted").declaration.stages
    return Manifest(
        schema=SCHEMA,
        run="calibration",
        created="",
        command=(),
        options=Options(input=mode, keep_audio=False, threads=1),
        turns=turns,
        warmup=2,
        labels=tuple(
            System(label, "scripted", "cpu", "float32", {"script": case.script}, stages)
            for label, case in cases.items()
        ),
        corpus="",
        corpus_source="",
        corpus_sha256="",
        utterances=(),
    )


def _segment(number: int, labels: Sequence[LabelFacts]) -> Segment:
    return Segment(number, "", 0, 0, {}, {}, tuple(labels))
