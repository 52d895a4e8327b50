"""Who reads the manager's messages in a worker: nothing is lost or read twice, whichever thread is faster."""

from __future__ import annotations

import ctypes
import socket
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from firstpacket.bench.ipc import Channel, Closed
from firstpacket.bench.run import prompt_wake_up as waking
from firstpacket.bench.run.protocol import MESSAGES, Cancel, Close, SpeechOver
from firstpacket.bench.run.receiver import ClipInbox, Receiver
from firstpacket.bench.run.speech import HeardSpeech
from firstpacket.bench.run.worker import InFlight, _Worker, hear
from firstpacket.bench.timing.cancellation import TurnCancelled
from firstpacket.bench.timing.clock import MonotonicClock

CLIP = np.full(480, 0.25, np.float32)
SOON_S = 20
"""Longer than anything here takes; only a failure waits for it."""


class Turn:
    """A turn whose clip is held back, and the receiver of its messages."""

    def __init__(self, channel: Channel) -> None:
        self.handled: list[tuple[Any, str]] = []
        self.gone = threading.Event()
        self.receiver = Receiver(channel, self._handle, self.gone.set)
        self.speech = HeardSpeech(MonotonicClock(), "en", ClipInbox(self.receiver))
        self.in_flight = InFlight(7, self.speech, CLIP)

    def _handle(self, message: Any) -> None:
        self.handled.append((message, threading.current_thread().name))
        if not isinstance(message, Close):
            hear(message, self.in_flight)

    def listen(self) -> threading.Thread:
        thread = threading.Thread(target=self.receiver.listen, name="listener", daemon=True)
        thread.start()
        return thread


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    ours, theirs = (Channel(end, MESSAGES) for end in socket.socketpair())
    yield ours, theirs
    ours.close()
    theirs.close()


def test_the_thread_that_waits_for_the_clip_reads_its_release(ends: tuple[Channel, Channel]) -> None:
    manager, worker = ends
    turn = Turn(worker)
    manager.send(SpeechOver(7))
    assert turn.speech.whole().tolist() == CLIP.tolist()
    assert turn.handled == [(SpeechOver(7), threading.current_thread().name)]


def test_a_thread_that_listens_sleeps_while_another_waits_for_the_clip(ends: tuple[Channel, Channel]) -> None:
    manager, worker = ends
    turn, waiting, may_read = Turn(worker), threading.Event(), threading.Event()
    receive = worker.receive

    def held_up(timeout_s: float | None = None) -> Any:
        if timeout_s is None:  # the thread that waits for its clip, before it reads
            waiting.set()
            assert may_read.wait(SOON_S)
        return receive(timeout_s)

    worker.receive = held_up  # type: ignore[method-assign]
    listener = turn.listen()
    pipeline = threading.Thread(target=turn.speech.whole, name="pipeline", daemon=True)
    pipeline.start()
    assert waiting.wait(SOON_S)
    manager.send(SpeechOver(7))
    manager.send(Cancel(7))
    assert turn.handled == []
    assert not worker._selector.select(0), "nothing wakes the listener"
    may_read.set()
    pipeline.join(SOON_S)
    manager.close()
    listener.join(SOON_S)
    assert turn.handled == [(SpeechOver(7), "pipeline"), (Cancel(7), "listener")]
    assert turn.gone.is_set()


def test_the_clip_is_there_whoever_reads_first(ends: tuple[Channel, Channel]) -> None:
    manager, worker = ends
    turn = Turn(worker)
    turn.listen()
    for number in range(300):
        turn.speech = HeardSpeech(MonotonicClock(), "en", ClipInbox(turn.receiver))
        turn.in_flight = InFlight(number, turn.speech, CLIP)
        sending = threading.Thread(target=manager.send, args=(SpeechOver(number),))
        sending.start()
        assert turn.speech.whole().tolist() == CLIP.tolist()
        sending.join()
    assert [message.turn for message, _ in turn.handled] == list(range(300))


@pytest.mark.parametrize("listens", [False, True])
def test_a_turn_that_waits_for_its_clip_can_be_cancelled(ends: tuple[Channel, Channel], listens: bool) -> None:
    manager, worker = ends
    turn = Turn(worker)
    if listens:
        turn.listen()
    manager.send(Cancel(7))
    with pytest.raises(TurnCancelled):
        turn.speech.whole()


def test_after_a_message_that_is_not_for_it_a_waiting_thread_leaves_reading_to_the_listener(
    ends: tuple[Channel, Channel],
) -> None:
    manager, worker = ends
    turn = Turn(worker)
    manager.send(SpeechOver(6))
    heard: list[Any] = []
    pipeline = threading.Thread(target=lambda: heard.append(turn.speech.whole()), name="pipeline", daemon=True)
    pipeline.start()
    turn.listen()
    manager.send(SpeechOver(7))
    pipeline.join(SOON_S)
    assert len(heard) == 1 and heard[0].tolist() == CLIP.tolist()


@pytest.mark.parametrize("rubbish", [b"", b"rubbish\n"], ids=["gone", "rubbish"])
def test_a_waiting_thread_sees_that_the_manager_has_gone(rubbish: bytes) -> None:
    ours, theirs = socket.socketpair()
    turn = Turn(Channel(theirs, MESSAGES))
    ours.sendall(rubbish)
    ours.close()
    turn.receiver.read_one(unless=lambda: False)
    assert turn.gone.is_set()


def test_closing_gives_up_a_turn_that_waits_for_its_clip(
    ends: tuple[Channel, Channel], monkeypatch: pytest.MonkeyPatch
) -> None:
    manager, channel = ends
    worker = _Worker(channel)
    worker._leaving.set()  # as if the pipeline was closed in time: no thread ends this process
    speech = HeardSpeech(MonotonicClock(), "en", ClipInbox(worker.receiver))
    worker._in_flight = InFlight(7, speech, CLIP)
    manager.send(Close())
    with pytest.raises(TurnCancelled):
        speech.whole()
    assert worker._inbox.get() == Close()


def slice_ns() -> int:
    attributes = waking._own_attributes()
    return attributes.runtime if attributes is not None else 0


def test_a_short_time_slice_ends_with_the_waiting() -> None:
    before_ns = slice_ns()
    if before_ns <= waking.SLICE_NS:
        pytest.skip("this kernel has no time slices that could be set")
    with pytest.raises(Closed), waking.prompt_wake_up():
        assert slice_ns() == waking.SLICE_NS
        raise Closed
    assert slice_ns() == before_ns


@pytest.mark.parametrize("refuses", ["getattr", "setattr", "all"])
def test_waiting_works_where_time_slices_cannot_be_set(monkeypatch: pytest.MonkeyPatch, refuses: str) -> None:
    written: list[int] = []

    def get(_: int, attributes: Any, *__: int) -> int:
        attributes._obj.runtime = 3_000_000
        return -1 if refuses == "getattr" else 0

    def put(_: int, attributes: Any, *__: int) -> int:
        written.append(attributes._obj.runtime)
        return -1

    monkeypatch.setattr(waking, "_calls", lambda: None if refuses == "all" else (put, get))
    with waking.prompt_wake_up():
        pass
    assert written == ([waking.SLICE_NS, 3_000_000] if refuses == "setattr" else [])
    assert ctypes.sizeof(waking._Attributes) == 48, "as the kernel expects it"
