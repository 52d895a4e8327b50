"""Packets as plugins yield them: taken with the right samples, or refused with what came and what is due."""

from __future__ import annotations

import array
import asyncio
import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from support.virtual import make_scripted, make_utterance

from firstpacket.bench.pipeline import Declaration, Packet, Pipeline, Samples, Speech
from firstpacket.bench.run.executor import TurnConfig, TurnResult
from firstpacket.bench.run.in_process import InProcessExecutor
from firstpacket.bench.run.speech import HeardSpeech
from firstpacket.bench.run.turn import perform
from firstpacket.bench.timing.cancellation import TurnCancelled
from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.bench.timing.trace import Trace

LOUD = np.full(1600, 0.3, np.float32)
RAMP = np.linspace(-0.5, 0.5, 1600, dtype=np.float32)


def answer(respond: Callable[[Trace], Any]) -> TurnResult:
    executor = InProcessExecutor(make_scripted("giver", ""), VirtualClock(), giver(respond))
    executor.start()
    return executor.run(1, make_utterance(), TurnConfig("file", 10**10), "")


def giver(respond: Callable[[Trace], Any]) -> type[Pipeline]:
    class Giver(Pipeline):
        declaration = Declaration("giver", "gives what it is told")

        def load(self) -> None: ...

        def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
            return respond(trace)  # type: ignore[no-any-return]

    return Giver


def kept(packets: Iterator[Packet]) -> tuple[TurnResult, list[Samples]]:
    """The turn's result, and the samples that the harness has when the turn is over."""
    clock = VirtualClock()
    pipeline = giver(lambda trace: packets)(make_scripted("giver", "").settings)
    result, said = perform(1, pipeline, HeardSpeech(clock, "en"), Trace(clock), None, lambda stamp: None)
    return result, [samples for samples, _ in said]


def test_a_buffer_may_be_used_again_for_the_next_packet() -> None:
    buffer = np.empty(1600, np.float32)

    def respond() -> Iterator[Packet]:
        for loudness in (0.1, 0.5, 1.0):
            buffer[:] = RAMP * loudness
            yield Packet(buffer, 16_000)
        buffer[:] = 0

    result, said = kept(respond())
    assert [float(samples.max()) for samples in said] == pytest.approx([0.05, 0.25, 0.5])
    assert max(result.reply_levels[20:]) == pytest.approx(2 * max(result.reply_levels[10:20]), rel=1e-5)


@pytest.mark.parametrize(
    "samples",
    [
        RAMP.astype(np.float64),
        RAMP.astype(">f4"),
        np.repeat(RAMP, 2)[::2],
        RAMP[::-1][::-1],
        RAMP.reshape(1, -1),
        RAMP.reshape(-1, 1),
        np.frombuffer(RAMP.tobytes(), np.float32),  # read-only
        torch.from_numpy(RAMP.copy()).numpy(),
    ],
    ids=["float64", "big-endian", "strided", "reversed", "row", "column", "read-only", "of-torch"],
)
def test_samples_that_mean_the_same_are_taken(samples: Any) -> None:
    result, said = kept(iter([Packet(samples, 16_000)]))
    assert result.outcome == "answered"
    assert said[0].dtype == np.float32
    np.testing.assert_array_equal(said[0], RAMP)


@pytest.mark.parametrize(
    "rate", [np.int64(16_000), np.int32(16_000), np.float32(16_000), 16_000.0, np.array(16_000)], ids=repr
)
def test_a_rate_may_be_any_whole_number(rate: Any) -> None:
    result = answer(lambda trace: iter([Packet(LOUD, rate), Packet(LOUD, 16_000)]))
    assert (result.outcome, result.reason) == ("answered", "")
    assert [type(packet.sample_rate) for packet in result.trace.packets] == [int, int]


class Hostile:
    @property
    def shape(self) -> Any:
        return RuntimeError

    def __repr__(self) -> str:
        raise RuntimeError


def of(samples: Any, rate: Any = 16_000, after: Any = None) -> list[Packet]:
    return [Packet(samples, rate, after)]


@pytest.mark.parametrize(
    ("packets", "reason"),
    [
        ([LOUD], r"yielded numpy.ndarray of shape \(1600,\); it must yield Packet objects"),
        ([None], "yielded None"),
        ([(LOUD, 16_000)], "yielded tuple"),
        (["beep"], r"yielded 'beep' \(str\)"),
        ([Hostile()], r"yielded \w+.Hostile"),
        (of((LOUD * 30_000).astype(np.int16)), r"int16 samples; a packet needs a float32 .* np.float32\(32768\)"),
        (of((LOUD * 30_000).astype(np.int32)), r"int32 samples.* np.float32\(2147483648\)"),
        (of((LOUD * 99).astype(np.uint8)), "uint8 samples"),
        (of(LOUD > 0), "bool samples"),
        (of(LOUD.astype(np.complex64)), "complex64 samples"),
        (of(LOUD.astype(object)), "object samples"),
        (of(LOUD.tolist()), r"has list as samples.* np.asarray\(samples, np.float32\)"),
        (of(memoryview(LOUD)), r"has memoryview.* np.asarray"),
        (of(array.array("f", LOUD)), "has array.array"),
        (of(LOUD.tobytes()), r"has bytes as samples.* np.frombuffer"),
        (of(np.ma.masked_array(LOUD, LOUD > 0)), "numpy.MaskedArray"),
        (of(torch.ones(16, requires_grad=True)), r"torch.Tensor of shape \(16,\).*\.detach\(\)\.float\(\)\.cpu\(\)"),
        (of(torch.ones(16, dtype=torch.bfloat16)), r"torch.Tensor.*\.float\(\)"),
        (of(None), "has None as samples"),
        (of(LOUD.reshape(2, -1)), r"shape \(2, 800\).*Mix"),
        (of(LOUD.reshape(-1, 2)), r"shape \(800, 2\).*Mix"),
        (of(np.array(0.5, np.float32)), r"shape \(\)"),
        (of(LOUD[:0]), "no samples"),
        (of(LOUD * np.float32("nan")), "NaN or infinite"),
        (of(LOUD * np.float32("-inf")), "NaN or infinite"),
        (of(LOUD.astype(np.float64) * 1e300), "up to 3e"),
        (of(LOUD * 30_000), r"up to 9e\+03; they must be in \[-1, 1\]"),
        (of(LOUD, 0), r"sample rate 0 \(int\)"),
        (of(LOUD, 16_000.5), r"sample rate 16000.5 \(float\); it must be a whole number"),
        (of(LOUD, float("nan")), r"sample rate nan \(float\)"),
        (of(LOUD, "16000"), r"sample rate '16000' \(str\)"),
        (of(LOUD, True), r"sample rate True \(bool\)"),
        (of(LOUD, None), "sample rate None"),
        (of(LOUD, after="tts"), r"`after` is 'tts' \(str\); it must be what trace.hand_off\(\) returned"),
        ([Packet(LOUD, 16_000), Packet(LOUD, 24_000)], "24000 Hz, but the first one had 16000 Hz"),
    ],
)
def test_unplayable_packets_fail_the_turn(packets: list[Any], reason: str) -> None:
    result = answer(lambda trace: iter(packets))
    assert result.outcome == "failed"
    assert re.search(reason, result.reason), result.reason
    assert len(result.reason) < 300


async def _asynchronous() -> Any:
    yield Packet(LOUD, 16_000)


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        (lambda: None, "returned None instead of an iterator of packets. It must yield them"),
        (lambda: Packet(LOUD, 16_000), "returned firstpacket.Packet instead"),
        (lambda: "beep", "returned 'beep'"),
        (_asynchronous, "not `async def`"),
    ],
)
def test_a_reply_that_is_not_an_iterator_of_packets_fails_the_turn(returned: Callable[[], Any], reason: str) -> None:
    result = answer(lambda trace: returned())
    assert result.outcome == "failed"
    assert reason in result.reason


def test_a_list_of_packets_is_as_good_as_a_generator() -> None:
    assert answer(lambda trace: [Packet(LOUD, 16_000)]).outcome == "answered"


def test_a_reply_that_does_not_end_fails_the_turn_before_memory_is_full() -> None:
    second = np.zeros(16_000, np.float32)
    result = answer(lambda trace: itertools.repeat(Packet(second, 16_000), 700))
    assert (result.outcome, len(result.trace.packets)) == ("failed", 601)
    assert "does not end: it has more than 600 s" in result.reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SystemExit("the licence has expired"), "SystemExit: the licence has expired"),
        (asyncio.CancelledError(), "CancelledError"),
        (TurnCancelled(), "raised TurnCancelled itself"),
    ],
    ids=repr,
)
def test_giving_up_in_any_way_fails_the_turn(error: BaseException, reason: str) -> None:
    def respond(trace: Trace) -> Iterator[Packet]:
        raise error

    result = answer(respond)
    assert (result.outcome, reason in result.reason) == ("failed", True)


def test_the_users_own_interrupt_is_passed_on() -> None:
    def respond(trace: Trace) -> Iterator[Packet]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        answer(respond)
