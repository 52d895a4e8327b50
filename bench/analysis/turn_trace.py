"""One turn of a run with everything known about it, checked: the source of all trace formats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from firstpacket.bench.errors import RunError, UsageError
from firstpacket.bench.metrics.critical_path import Part, critical_path
from firstpacket.bench.metrics.player import media_ns
from firstpacket.bench.metrics.t0 import all_starts, start_ns
from firstpacket.bench.record.schema import Evidence, Segment, System, Turn
from firstpacket.bench.record.store import Run
from firstpacket.bench.timing.spans import HandOff, StageSpan, Text, TurnTrace

LONGEST_NS = 2**50
"""13 days: times within it stay whole nanoseconds as a float of microseconds. No turn takes that long."""


@dataclass(frozen=True, slots=True)
class OneTurn:
    """A turn, its evidence and its critical path; all intervals run forwards and are within `LONGEST_NS`."""

    run: Run
    plan: System
    segment: Segment
    turn: Turn
    evidence: Evidence
    t0_ns: int
    """Where the clock of this turn starts, as declared."""
    path: tuple[Part, ...]
    begins_ns: int
    """The earliest moment of the turn: with file input t0, unless work began before."""
    ends_ns: int
    """The latest one, the end of playback included."""

    @property
    def trace(self) -> TurnTrace:
        """What the instrumentation recorded."""
        return self.evidence.trace

    def wall_ns(self, at_ns: int) -> int:
        """A moment as ns since 1970, by the anchor of the turn's segment."""
        return self.segment.wall_ns + at_ns - self.segment.monotonic_ns

    def let_go_in(self, hand_off: HandOff) -> StageSpan | None:
        """The innermost span of the stage that handed an item off, on its thread; one that began earlier, if any."""
        at_work = [
            span
            for span in self.trace.spans
            if (span.thread, span.stage) == (hand_off.thread, hand_off.stage)
            and span.start_ns <= hand_off.at_ns <= span.end_ns
        ]
        return max(
            at_work, key=lambda span: (span.start_ns < hand_off.at_ns, span.start_ns, -span.end_ns), default=None
        )


def one_turn(run: Run, number: int) -> OneTurn:
    """The turn of that number. Raises `UsageError` if there is none, `RunError` if its trace is inconsistent."""
    turn = next((turn for turn in run.turns if turn.turn == number), None)
    if turn is None:
        numbers = [turn.turn for turn in run.turns]
        there = f"it has turns {min(numbers)} to {max(numbers)}" if numbers else "it has none"
        raise UsageError(f"{run.path} has no turn {number}: {there}. turns.jsonl and `bench export` list them.")
    return checked_turn(run, turn)


def checked_turn(run: Run, turn: Turn) -> OneTurn:
    """A turn of the run with its evidence. Raises `RunError` if its trace is inconsistent."""
    plan = run.plan(turn.label)
    segment = next((segment for segment in run.segments if segment.segment == turn.segment), None)
    if segment is None:
        raise RunError(f"{run.path}: segment {turn.segment} of turn {turn.turn} is missing. The run is damaged.")
    evidence = run.evidence(turn)
    if (evidence.turn, evidence.label) != (turn.turn, turn.label):
        raise RunError(
            f"{run.path}: the trace stored for turn {turn.turn} belongs to another turn. The run is damaged."
        )
    begins_ns, ends_ns = _extent(evidence, turn.turn)
    t0_ns = start_ns(evidence)
    path = critical_path(evidence.trace, t0_ns)
    return OneTurn(run, plan, segment, turn, evidence, t0_ns, path, begins_ns, ends_ns)


def playback(evidence: Evidence) -> Iterator[tuple[str, int, int]]:
    """What the run's player does: (`pre-roll`, `playing` or `stalled`, start, end) in ns, one stretch per packet."""
    packets = evidence.trace.packets
    reached_ns = packets[0].at_ns + evidence.pre_roll_ns if packets else 0
    if packets and evidence.pre_roll_ns:
        yield "pre-roll", packets[0].at_ns, reached_ns
    for packet in packets:
        if packet.at_ns > reached_ns:
            yield "stalled", reached_ns, packet.at_ns
            reached_ns = packet.at_ns
        yield "playing", reached_ns, reached_ns + media_ns(packet)
        reached_ns += media_ns(packet)


def speech_delivered(evidence: Evidence) -> tuple[int, int] | None:
    """When delivery of the speech began and ended; `None` if it came at one instant or is incomplete."""
    start_ns, end_ns = evidence.delivery.start_ns, all_starts(evidence).get("last_frame")
    return (start_ns, end_ns) if end_ns is not None and start_ns < end_ns else None


def timed_texts(trace: TurnTrace) -> Iterator[Text]:
    """The texts that have a time; it is 0 in runs from before texts had one."""
    return (text for text in trace.texts if text.at_ns)


def _extent(evidence: Evidence, number: int) -> tuple[int, int]:
    """The earliest and the latest moment. Raises `RunError` for intervals that run backwards or never end."""
    trace = evidence.trace
    if any(packet.sample_rate <= 0 or packet.samples < 0 for packet in trace.packets):
        raise RunError(f"The trace of turn {number} is inconsistent: a packet has no sample rate or no length.")
    stretches = [
        *((span.start_ns, span.end_ns) for span in trace.spans),
        *((span.gpu.start_ns, span.gpu.end_ns) for span in trace.spans if span.gpu is not None),
        *((wait.start_ns, wait.end_ns) for wait in trace.waits),
        *((start_ns, end_ns) for _, start_ns, end_ns in playback(evidence)),
        *([delivered] if (delivered := speech_delivered(evidence)) else []),
    ]
    moments = [
        *all_starts(evidence).values(),
        *(hand_off.at_ns for hand_off in trace.hand_offs),
        *(mark.at_ns for mark in trace.marks),
        *(text.at_ns for text in timed_texts(trace)),
        *(packet.at_ns for packet in trace.packets),
        *(span.first_output_ns for span in trace.spans if span.first_output_ns is not None),
        *(ns for stretch in stretches for ns in stretch),
    ]
    begins_ns, ends_ns = min(moments), max(moments)
    if any(start_ns > end_ns for start_ns, end_ns in stretches) or ends_ns - begins_ns > LONGEST_NS:
        raise RunError(
            f"The trace of turn {number} is inconsistent: something in it ends before it begins, or takes days. "
            "It cannot be drawn; `bench recompute` checks whether the run's figures still follow from its traces."
        )
    return begins_ns, ends_ns
