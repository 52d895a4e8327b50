"""One turn on the pipeline's side: let it answer, stamp what arrives, and say how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.metrics.audible import reply_levels
from bench.metrics.figures import heard_outcome
from bench.pipeline import Packet, Pipeline, Samples, TurnCancelled
from bench.record.schema import Outcome
from bench.run.speech import HeardSpeech
from bench.timing.cuda import GpuRecorder
from bench.timing.spans import PacketStamp, TurnTrace
from bench.timing.trace import Trace


@dataclass(frozen=True, slots=True)
class Answered:
    """How a turn ended, and what was seen and heard."""

    outcome: Outcome
    reason: str
    flags: tuple[str, ...]
    trace: TurnTrace
    reply_levels: tuple[float, ...]
    reply: tuple[tuple[Samples, int], ...]


def perform(
    pipeline: Pipeline,
    speech: HeardSpeech,
    trace: Trace,
    gpu: GpuRecorder | None,
    on_first_packet: Callable[[PacketStamp], None],
) -> Answered:
    """Let the pipeline answer. Every exception of the pipeline becomes an outcome; none is raised."""
    reply: list[tuple[Samples, int]] = []
    outcome: Outcome | None = None
    reason = ""
    try:
        _listen_to(pipeline, speech, trace, reply, on_first_packet)
    except TurnCancelled:
        outcome = "timeout"
    except Exception as error:
        outcome, reason = "failed", f"{type(error).__name__}: {error}"
    if gpu is not None:
        try:
            gpu.end_turn()
        except Exception as error:
            return Answered("failed", f"{type(error).__name__}: {error}", (), TurnTrace(), (), tuple(reply))
    seen = trace.finish()
    levels = reply_levels(reply)
    flags: tuple[str, ...] = ()
    if outcome == "timeout" and seen.packets:
        outcome, flags = "answered", ("cut",)
    return Answered(outcome or heard_outcome(seen, levels), reason, flags, seen, levels, tuple(reply))


def _listen_to(
    pipeline: Pipeline,
    speech: HeardSpeech,
    trace: Trace,
    reply: list[tuple[Samples, int]],
    on_first_packet: Callable[[PacketStamp], None],
) -> None:
    packets = iter(pipeline.respond(speech, trace))
    try:
        for packet in packets:
            stamp = trace.packet(len(packet.samples), packet.sample_rate, packet.after)
            if not reply:
                on_first_packet(stamp)
            _check(packet)
            reply.append((packet.samples, packet.sample_rate))
            if speech.cancelled:
                raise TurnCancelled
    finally:
        close = getattr(packets, "close", None)
        if close is not None:
            close()


def _check(packet: Packet) -> None:
    if packet.sample_rate <= 0 or packet.samples.ndim != 1:
        raise ValueError(f"The pipeline gave a packet of shape {packet.samples.shape} at {packet.sample_rate} Hz.")
    if not np.isfinite(packet.samples).all():
        raise ValueError("The pipeline gave a packet with samples that are no numbers (NaN or infinite).")
