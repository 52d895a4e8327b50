"""Where the clock of a turn may start; every start that happened is known, one is declared.

speech_end   the user has finished speaking, as annotated or estimated in the corpus
last_frame   the last frame of speech was delivered
endpoint     the pipeline decided that the user had finished; without a detector, that is the end of speech
request      the first work began once all speech was there: what a service calls the request
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
"""The figures for the delay of each start after the end of speech."""


def start_ns(evidence: Evidence) -> int:
    """The moment from which the turn's figures count (t0); the end of speech if the declared one did not happen."""
    return all_starts(evidence).get(evidence.options.t0, evidence.delivery.t0_ns)


def all_starts(evidence: Evidence) -> dict[Start, int]:
    """Every start that happened in a turn, on the host's monotonic clock."""
    delivery, trace = evidence.delivery, evidence.trace
    decided = min((mark.at_ns for mark in trace.marks if mark.name == KnownMark.ENDPOINT), default=delivery.t0_ns)
    complete_ns = max(decided, delivery.last_frame_ns)
    working = (span for span in trace.spans if evidence.kinds.get(span.stage) != "endpoint")
    begun = [span.start_ns for span in working if span.start_ns >= complete_ns]
    found: dict[Start, int] = {"speech_end": delivery.t0_ns, "endpoint": decided}
    if delivery.last_frame_ns >= delivery.t0_ns:  # else the turn was over before all speech was delivered
        found["last_frame"] = delivery.last_frame_ns
    return found | ({"request": min(begun)} if begun else {})


def start_flags(evidence: Evidence) -> tuple[Flag, ...]:
    """`NO_SUCH_START` where figures count from the end of speech instead: compared with none from elsewhere."""
    return () if evidence.options.t0 in all_starts(evidence) else (Flag.NO_SUCH_START,)
