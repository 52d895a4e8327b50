"""One turn on the pipeline's side: let it answer, stamp the packets, and determine the outcome."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from firstpacket.bench.metrics.audible_onset import reply_levels
from firstpacket.bench.pipeline import Packet, Pipeline, Samples, TurnCancelled
from firstpacket.bench.record.schema import Outcome, TurnResult
from firstpacket.bench.run.speech import HeardSpeech
from firstpacket.bench.sanitize import reason
from firstpacket.bench.timing.cuda import GpuRecorder
from firstpacket.bench.timing.spans import PacketStamp
from firstpacket.bench.timing.trace import Trace
from firstpacket.bench.vocabulary import Flag

RATES = range(1000, 768_001)
LOUDEST = 1.5
"""Synthesis may overshoot full scale a little; integers mistaken for floats overshoot a lot."""
Said = list[tuple[Samples, int]]
"""The reply, packet by packet: samples and their rate."""


def perform(
    turn: int,
    pipeline: Pipeline,
    speech: HeardSpeech,
    trace: Trace,
    gpu: GpuRecorder | None,
    on_first_packet: Callable[[PacketStamp], None],
) -> tuple[TurnResult, Said]:
    """Let the pipeline answer. Every exception of the pipeline becomes an outcome; none is raised."""
    said: Said = []
    outcome: Outcome | None = None
    why = ""
    try:
        _listen_to(pipeline, speech, trace, said, on_first_packet)
    except TurnCancelled:
        outcome = "timeout"
    except Exception as error:
        outcome, why = "failed", reason(error)
    if gpu is not None:
        try:
            gpu.end_turn()
        except Exception as error:
            return TurnResult(turn, "failed", reason=reason(error)), said
    seen = trace.finish()
    levels = reply_levels(said)
    flags: tuple[Flag, ...] = ()
    if outcome == "timeout" and seen.packets:
        outcome, flags = "answered", (Flag.TRUNCATED,)
    outcome = outcome or ("answered" if seen.packets else "silent")
    return TurnResult(turn, outcome, seen, reply_levels=levels, reason=why, flags=flags), said


def _listen_to(
    pipeline: Pipeline,
    speech: HeardSpeech,
    trace: Trace,
    said: Said,
    on_first_packet: Callable[[PacketStamp], None],
) -> None:
    packets = iter(pipeline.respond(speech, trace))
    try:
        for packet in packets:
            arrived_ns = trace.clock.now_ns()
            _check(packet, said)
            stamp = trace.packet(len(packet.samples), packet.sample_rate, packet.after, arrived_ns)
            if not said:
                on_first_packet(stamp)
            said.append((packet.samples, packet.sample_rate))
            if speech.cancelled:
                raise TurnCancelled
    finally:
        close = getattr(packets, "close", None)
        if close is not None:
            close()


def _check(packet: object, before: Said) -> None:
    """Raises `TypeError` or `ValueError` for an unplayable packet; its stamp has been taken already."""
    if not isinstance(packet, Packet) or not isinstance(packet.samples, np.ndarray):
        raise TypeError(f"the pipeline yielded a {type(packet).__name__} instead of a Packet with an array of samples")
    samples, rate = packet.samples, packet.sample_rate
    if samples.ndim != 1 or not len(samples) or samples.dtype != np.float32:
        raise ValueError(f"a packet must have float32 samples of shape (n,), not {samples.dtype} {samples.shape}")
    if type(rate) is not int or rate not in RATES:
        raise ValueError(
            f"a packet has sample rate {rate}; it must be a whole number of Hz from {RATES[0]} to {RATES[-1]}"
        )
    if before and before[0][1] != rate:
        raise ValueError(f"a packet has sample rate {rate} Hz, but the first one had {before[0][1]} Hz")
    if not np.isfinite(samples).all():
        raise ValueError("a packet has NaN or infinite samples")
    if np.abs(samples).max() > LOUDEST:
        raise ValueError(f"a packet has samples up to {np.abs(samples).max():.3g}; they must be in [-1, 1]")
