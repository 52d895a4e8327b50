"""How long a system worked before the user had finished speaking: work that the answer does not have to wait for.

Of every stage but those that look for the end of speech, on the host or on the GPU; a wait is no work.
"""

from __future__ import annotations

from firstpacket.bench.metrics.critical_path import stretches_by_stage
from firstpacket.bench.metrics.intervals import covered_ns
from firstpacket.bench.record.schema import Evidence
from firstpacket.bench.timing.spans import StageSpan

TOTAL = "work_during_speech"
OF_STAGE = "during_speech"
"""Last part of the name of a stage's figure: `stage.STAGE.during_speech`."""


def during_speech(evidence: Evidence) -> dict[str, int]:
    """The figures `work_during_speech` (0 for a system that waits) and `stage.STAGE.during_speech` (of stages that
    worked); absent with file input, where speech arrives at one instant."""
    speech_end_ns = evidence.delivery.t0_ns
    if evidence.delivery.start_ns >= speech_end_ns:
        return {}
    before = {
        stage: [(start_ns, min(end_ns, speech_end_ns)) for start_ns, end_ns in stretches if start_ns < speech_end_ns]
        for stage, stretches in stretches_by_stage(work(evidence)).items()
    }
    by_stage = {f"stage.{stage}.{OF_STAGE}": covered_ns(stretches) for stage, stretches in before.items() if stretches}
    return {TOTAL: covered_ns(each for stretches in before.values() for each in stretches), **by_stage}


def work(evidence: Evidence) -> list[StageSpan]:
    """The spans in which a stage worked, without those that only waited or looked for the end of speech."""
    waiting = {stage for stage, kind in evidence.kinds.items() if kind == "endpoint"}
    return [span for span in evidence.trace.spans if span.stage not in waiting and span.released_by is None]


def stage_of(name: str) -> str | None:
    """The stage whose work during speech a figure of this name is; None for any other figure."""
    of, _, what = name.rpartition(".")
    return of.removeprefix("stage.") if what == OF_STAGE and of.startswith("stage.") else None
