"""Messages carry the turn they belong to: a message for any turn but the one in flight changes nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from support.virtual import make_scripted, make_utterance

from firstpacket.bench.errors import WorkerError
from firstpacket.bench.ipc import Channel
from firstpacket.bench.record.schema import TurnResult
from firstpacket.bench.run.executor import NO_PACKET, TurnConfig
from firstpacket.bench.run.process import SETTLE_NS, _Exchange
from firstpacket.bench.run.protocol import (
    MESSAGES,
    Cancel,
    FirstPacket,
    Frame,
    Hello,
    Prepare,
    Prepared,
    SpeechOver,
    pack_samples,
)
from firstpacket.bench.run.speech import HeardSpeech
from firstpacket.bench.run.worker import InFlight, hear
from firstpacket.bench.timing.cancellation import TurnCancelled
from firstpacket.bench.timing.clock import Clock, MonotonicClock, VirtualClock

FRAME = np.full(320, 0.25, np.float32)


def in_flight(turn: int = 7, held_back: np.ndarray | None = None) -> InFlight:
    return InFlight(turn, HeardSpeech(VirtualClock(), "en"), held_back)


@pytest.mark.parametrize("turn", [6, 8])
def test_a_worker_ignores_what_belongs_to_another_turn(turn: int) -> None:
    now = in_flight()
    for stale in (Frame(turn, pack_samples(FRAME)), Cancel(turn), SpeechOver(turn)):
        hear(stale, now)
    hear(Frame(7, pack_samples(2 * FRAME)), now)
    hear(SpeechOver(7), now)
    assert not now.speech.cancelled
    assert now.speech.whole().tolist() == (2 * FRAME).tolist()


def test_a_worker_ignores_stale_messages_between_turns() -> None:
    for stale in (Frame(7, pack_samples(FRAME)), Cancel(7), SpeechOver(7)):
        hear(stale, None)


def test_a_clip_sent_ahead_is_complete_when_its_speech_is_over() -> None:
    now = in_flight(held_back=FRAME)
    hear(SpeechOver(6), now)
    hear(SpeechOver(7), now)
    assert now.speech.whole().tolist() == FRAME.tolist()


def test_a_turn_is_cancelled_by_its_own_cancellation() -> None:
    now = in_flight()
    hear(Cancel(7), now)
    with pytest.raises(TurnCancelled):
        now.speech.whole()


@pytest.fixture
def channels() -> Iterator[tuple[Channel, Channel]]:
    ours, theirs = (Channel(end, MESSAGES) for end in socket.socketpair())
    yield ours, theirs
    ours.close()
    theirs.close()


def test_every_message_of_a_turn_carries_its_number() -> None:
    for kind in (Prepare, Prepared, Frame, SpeechOver, Cancel, FirstPacket, TurnResult):
        assert next(iter(kind.__dataclass_fields__)) == "turn"


def test_messages_arrive_as_they_were_sent(channels: tuple[Channel, Channel]) -> None:
    ours, theirs = channels
    result = TurnResult(3, "answered", reply_levels=(0.5,), flags=("truncated",), reason="because")
    for message in (Hello(3, make_scripted("a", "hear")), Prepare(3, "en"), SpeechOver(3), result):
        ours.send(message)
        assert theirs.receive(1.0) == message


@pytest.mark.parametrize("stale", [TurnResult(2, "answered"), FirstPacket(2, 0, 320, 16_000), Prepared(3)])
def test_the_manager_refuses_what_belongs_to_another_turn(channels: tuple[Channel, Channel], stale: object) -> None:
    ours, theirs = channels
    exchange = _Exchange(3, MonotonicClock(), TurnConfig("file", 10**10))
    exchange.microphone = _silent(ours)
    theirs.send(Prepared(3))
    threading.Thread(target=theirs.send, args=(stale,)).start()
    with pytest.raises(WorkerError, match="out of turn"):
        exchange.run(ours)


def test_the_result_of_the_turn_in_flight_is_taken(channels: tuple[Channel, Channel]) -> None:
    ours, theirs = channels
    exchange = _Exchange(3, MonotonicClock(), TurnConfig("file", 10**10))
    exchange.microphone = _silent(ours)
    for message in (Prepared(3), FirstPacket(3, 5, 320, 16_000), TurnResult(3, "answered", reason="said")):
        theirs.send(message)
    result = exchange.run(ours)
    assert (result.turn, result.outcome, result.reason) == (3, "answered", "said")
    assert result.delivery.t0_ns > 0, "the manager's microphone says when speech was over"


def test_the_reason_of_a_timeout_adds_what_the_pipeline_was_waiting_for(channels: tuple[Channel, Channel]) -> None:
    ours, theirs = channels
    for said, reason in (("", NO_PACKET), ("waiting for it to answer", f"{NO_PACKET}: waiting for it to answer")):
        exchange = _Exchange(3, MonotonicClock(), TurnConfig("file", 10**10))
        exchange.microphone = _silent(ours)
        for message in (Prepared(3), TurnResult(3, "timeout", reason=said)):
            theirs.send(message)
        assert exchange.run(ours).reason == reason


def test_a_prepared_worker_has_time_to_rest_before_t0(channels: tuple[Channel, Channel]) -> None:
    ours, theirs = channels
    clock = VirtualClock(start_ns=5)
    exchange = _Exchange(3, clock, TurnConfig("file", 10**10))
    exchange.microphone = _silent(ours, clock)
    for message in (Prepared(3), TurnResult(3, "answered")):
        theirs.send(message)
    assert exchange.run(ours).delivery.t0_ns == 5 + SETTLE_NS
    assert theirs.receive(1.0) == SpeechOver(3)


def _silent(channel: Channel, clock: Clock | None = None):  # type: ignore[no-untyped-def]
    from firstpacket.bench.run.process import _microphone

    speech = make_utterance(seconds=0.1).speech()
    return _microphone(3, clock or MonotonicClock(), speech, channel, TurnConfig("file", 10**10), False)
