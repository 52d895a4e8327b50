"""The number of times the instrument recorded something while the user waited."""

from __future__ import annotations

from collections.abc import Iterator

from firstpacket.bench.timing.spans import TurnTrace


def recordings(trace: TurnTrace, from_ns: int, until_ns: int) -> int:
    """Recordings made in an interval, on all threads; a GPU event counts with the host's call that records it."""
    return sum(from_ns <= at_ns <= until_ns for at_ns in _moments(trace))


def _moments(trace: TurnTrace) -> Iterator[int]:
    for span in trace.spans:
        yield from (span.start_ns, span.end_ns)
        if span.first_output_ns is not None:
            yield span.first_output_ns
        if span.gpu is not None:
            yield from (span.start_ns, span.end_ns)
    for wait in trace.waits:
        yield from (wait.start_ns, wait.end_ns)
    if trace.usage is not None:
        yield trace.usage.at_ns
    for moments in (trace.hand_offs, trace.marks, trace.texts, trace.packets):
        yield from (moment.at_ns for moment in moments)
