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
            if not isinstance(packet, Packet):
                raise TypeError(f"the pipeline gave a {type(packet).__name__} where a bench.pipeline.Packet is due")
            stamp = trace.packet(len(packet.samples), packet.sample_rate, packet.after)
            if not reply:
                on_first_packet(stamp)
            _check(packet, reply)
            reply.append((packet.samples, packet.sample_rate))
            if speech.cancelled:
                raise TurnCancelled
    finally:
        close = getattr(packets, "close", None)
        if close is not None:
            close()


def _check(packet: Packet, before: list[tuple[Samples, int]]) -> None:
    """Raises `ValueError` for a packet that nobody could play."""
    samples, rate = packet.samples, packet.sample_rate
    if samples.ndim != 1 or not len(samples) or samples.dtype != np.float32:
        raise ValueError(f"a packet must hold float32 samples (n,), this one is {samples.dtype} {samples.shape}")
    if rate <= 0 or (before and before[0][1] != rate):
        raise ValueError(f"a packet came at {rate} Hz" + (f", the first one at {before[0][1]} Hz" if before else ""))
    if not np.isfinite(samples).all():
        raise ValueError("a packet holds samples that are no numbers (NaN or infinite)")
