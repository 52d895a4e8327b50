"""The moments at which a turn's clock may start. All that happened are recorded; the run's options choose one as t0.

speech_end   the user has finished speaking, as annotated or estimated in the corpus
last_frame   the last frame of speech was delivered
endpoint     the pipeline decided that the user had finished; without a detector, the end of speech
request      the first work began after all speech had been delivered: what a service calls the request
"""

from __future__ import annotations

from typing import get_args

from firstpacket.bench.record.schema import Evidence, Start
from firstpacket.bench.vocabulary import Flag, KnownMark

STARTS: tuple[Start, ...] = get_args(Start)
DELAYS: dict[Start, str] = {
    "last_frame": "last_frame_delay",
    "endpoint": "endpointing_delay",
    "request": "request_delay",
}
"""The metric for the delay of each start after the end of speech."""


def start_ns(evidence: Evidence) -> int:
    """The moment from which the turn's figures count (t0); the end of speech if the chosen start did not happen."""
    return all_starts(evidence).get(evidence.options.t0, evidence.delivery.t0_ns)


def all_starts(evidence: Evidence) -> dict[Start, int]:
    """Every start that happened in a turn, on the host's monotonic clock."""
    delivery, trace = evidence.delivery, evidence.trace
    endpoint_ns = min((mark.at_ns for mark in trace.marks if mark.name == KnownMark.ENDPOINT), default=delivery.t0_ns)
    complete_ns = max(endpoint_ns, delivery.last_frame_ns)
    working = (span for span in trace.spans if evidence.kinds.get(span.stage) != "endpoint")
    work_ns = [span.start_ns for span in working if span.start_ns >= complete_ns]
    starts: dict[Start, int] = {"speech_end": delivery.t0_ns, "endpoint": endpoint_ns}
    if delivery.last_frame_ns >= delivery.t0_ns:  # else the turn was over before all speech was delivered
        starts["last_frame"] = delivery.last_frame_ns
    return starts | ({"request": min(work_ns)} if work_ns else {})


def start_flags(evidence: Evidence) -> tuple[Flag, ...]:
    """`NO_SUCH_START` if the chosen start did not happen: figures then count from the end of speech."""
    return () if evidence.options.t0 in all_starts(evidence) else (Flag.NO_SUCH_START,)
