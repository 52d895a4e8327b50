"""One turn on the pipeline's side: let it answer, stamp the packets, and determine the outcome."""

from __future__ import annotations

from collections.abc import Callable

from firstpacket.bench.errors import BenchError
from firstpacket.bench.metrics.audible_onset import reply_levels
from firstpacket.bench.options import LeaveAfter
from firstpacket.bench.pipeline import Pipeline, Samples, TurnEnded
from firstpacket.bench.record.schema import TurnResult
from firstpacket.bench.run.packets import check_length, checked, packets_of
from firstpacket.bench.run.speech import HeardSpeech
from firstpacket.bench.sanitize import described, reason
from firstpacket.bench.timing.cancellation import TurnCancelled
from firstpacket.bench.timing.cuda import GpuRecorder
from firstpacket.bench.timing.spans import PacketStamp
from firstpacket.bench.timing.trace import Trace
from firstpacket.bench.vocabulary import Flag, Outcome

Said = list[tuple[Samples, int]]
"""The reply, packet by packet: samples and their rate."""


def prepared(pipeline: Pipeline, trace: Trace) -> BaseException | None:
    """Let the pipeline get ready for a turn; returns what it raised, which will be the turn's outcome."""
    try:
        pipeline.prepare(trace)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return error
    return None


def perform(
    turn: int,
    pipeline: Pipeline,
    speech: HeardSpeech,
    trace: Trace,
    gpu: GpuRecorder | None,
    on_first_packet: Callable[[PacketStamp], None],
    leave_after: LeaveAfter = "reply",
    unprepared: BaseException | None = None,
) -> tuple[TurnResult, Said]:
    """Let the pipeline answer. Every exception of the pipeline becomes an outcome; none is raised.

    `unprepared` is what `prepared` returned.
    """
    said: Said = []
    outcome: Outcome | None = None
    why = ""
    try:
        if unprepared is not None:
            raise unprepared
        _listen_to(pipeline, speech, trace, said, on_first_packet, leave_after)
    except TurnCancelled as cancelled:
        outcome, why = (
            ("timeout", str(cancelled)) if speech.cancelled else ("failed", "the pipeline raised TurnCancelled itself")
        )
    except TurnEnded as ended:
        outcome, why = ended.outcome, described(ended)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # libraries give up with SystemExit or asyncio's CancelledError, too
        # A `BenchError` is a message for people, of anything else the class matters.
        outcome, why = "failed", described(error) if isinstance(error, BenchError) else reason(error)
    try:
        if gpu is not None:
            gpu.end_turn()
        seen = trace.finish()
    except Exception as error:
        return TurnResult(turn, "failed", reason=why or reason(error)), said
    levels = reply_levels(said)
    flags: tuple[Flag, ...] = ()
    if seen.packets and leave_after == "first_packet":
        flags = (Flag.LEFT_EARLY,)
    elif seen.packets and outcome == "timeout":
        flags = (Flag.TRUNCATED,)
    if flags and outcome == "timeout":
        outcome = "answered"
    outcome = outcome or ("answered" if seen.packets else "silent")
    why = why or next((text.text for text in reversed(seen.texts) if text.kind == "shortcoming"), "")
    cpu = speech.cpu.seen()
    return TurnResult(turn, outcome, seen, reply_levels=levels, reason=why, flags=flags, cpu=cpu), said


def _listen_to(
    pipeline: Pipeline,
    speech: HeardSpeech,
    trace: Trace,
    said: Said,
    on_first_packet: Callable[[PacketStamp], None],
    leave_after: LeaveAfter,
) -> None:
    """Take packets until the reply or the turn is over; a reply that is left is closed, which ends its threads."""
    packets = packets_of(pipeline.respond(speech, trace))
    samples = 0
    try:
        for given in packets:
            arrived_ns = trace.clock.now_ns()
            if not said:
                speech.cpu.first_packet()
            packet = checked(given, said[0][1] if said else None)
            stamp = trace.packet(len(packet.samples), packet.sample_rate, packet.after, arrived_ns)
            if not said:
                on_first_packet(stamp)
            said.append((packet.samples, packet.sample_rate))
            samples += len(packet.samples)
            check_length(len(said), samples, packet.sample_rate)
            if speech.cancelled:
                raise TurnCancelled
            if leave_after == "first_packet":
                return
    finally:
        close = getattr(packets, "close", None)
        if close is not None:
            close()
