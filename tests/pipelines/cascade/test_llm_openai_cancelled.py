"""A turn that is cancelled while its server blocks is given up at once, keeps its trace, and leaves the engine warm."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from firstpacket.bench.pipeline import Declaration, Packet, Pipeline, Settings, Speech
from firstpacket.bench.run.protocol import Cancel
from firstpacket.bench.run.speech import HeardSpeech
from firstpacket.bench.run.turn import perform
from firstpacket.bench.run.worker import InFlight, hear
from firstpacket.bench.timing.cancellation import TurnCancelled
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.llm.openai import OpenAIServer

pytest.importorskip("httpx2")

from support.llm_server import Answer, Scripted, delta, serving

Stuck = Callable[[Answer, threading.Event], None]


def before_the_head(answer: Answer, stuck: threading.Event) -> None:
    stuck.set()
    answer.server.over.wait(10)


def in_the_middle(answer: Answer, stuck: threading.Event) -> None:
    answer.stream([delta("One")], end=False)
    stuck.set()
    answer.server.over.wait(10)


def byte_by_byte(answer: Answer, stuck: threading.Event) -> None:
    answer.begin()
    with suppress(OSError):
        while not answer.server.over.wait(0.01):
            answer.send(b"x")
            stuck.set()


def comments(answer: Answer, stuck: threading.Event) -> None:
    answer.begin()
    with suppress(OSError):
        while not answer.server.over.wait(0.01):
            answer.send(b": still thinking\n\n")
            stuck.set()


def after_the_reply(answer: Answer, stuck: threading.Event) -> None:
    answer.stream([delta("One"), delta(finish="stop")], end=False)
    stuck.set()
    answer.server.over.wait(10)


STUCK: list[tuple[Stuck, str]] = [
    (before_the_head, "waiting for it to answer"),
    (in_the_middle, "waiting for more of its answer"),
    (byte_by_byte, "waiting for more of its answer"),
    (comments, "waiting for more of its answer"),
    (after_the_reply, "waiting for more of its answer"),
]


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving() as made:
        yield made


def loaded(server: Scripted) -> OpenAIServer:
    options = {option.name: option.default for option in OpenAIServer.declaration.options}
    made = OpenAIServer(Settings(options={**options, "llm-url": server.url, "llm-timeout": 60.0}))
    made.load()
    return made


def cancel_when(stuck: threading.Event, cancel: Callable[[], Any]) -> None:
    def wait() -> None:
        if stuck.wait(10):
            cancel()

    threading.Thread(target=wait, daemon=True).start()


def answers(model: OpenAIServer, server: Scripted) -> bool:
    server.script = lambda answer: answer.stream([delta("Yes."), delta(finish="stop"), "[DONE]"])
    return list(model.reply("Why?", Trace(MonotonicClock()))) == ["Yes."]


@pytest.mark.parametrize(("script", "why"), STUCK)
def test_a_turn_is_given_up_wherever_the_server_is_stuck(server: Scripted, script: Stuck, why: str) -> None:
    model, stuck, trace = loaded(server), threading.Event(), Trace(MonotonicClock())
    server.script = lambda answer: script(answer, stuck)
    cancel_when(stuck, trace.cancellation.cancel)
    with pytest.raises(TurnCancelled, match=why):
        list(model.reply("Why?", trace))
    assert not server.over.is_set(), "the server was still stuck"
    assert answers(model, server)


def test_a_turn_is_given_up_while_it_is_connecting(server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    model, stuck, trace, go_on = loaded(server), threading.Event(), Trace(MonotonicClock()), threading.Event()
    model._ready()[0].close()
    ended = threading.Event()

    def connect(*_: Any, **__: Any) -> socket.socket:
        stuck.set()
        go_on.wait(10)
        ended.set()
        raise ConnectionRefusedError

    with monkeypatch.context() as patched:
        patched.setattr(socket, "create_connection", connect)
        cancel_when(stuck, trace.cancellation.cancel)
        with pytest.raises(TurnCancelled, match="waiting for a connection"):
            list(model.reply("Why?", trace))
        assert not ended.is_set(), "it was still connecting"
    assert answers(model, server), "a connection that is still being made does not block the next turn"
    go_on.set()


class Thinking(Pipeline):
    """The engine alone, as a pipeline."""

    declaration = Declaration(name="thinking", summary="Answers with a tone.")
    model: OpenAIServer

    def load(self) -> None: ...

    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
        with trace.stage("llm.decode"):
            text = "".join(self.model.reply("Why?", trace))
        yield Packet(np.zeros(len(text), np.float32), 16_000)


def test_the_manager_s_message_ends_the_turn_and_its_trace_is_kept(server: Scripted) -> None:
    pipeline, stuck = Thinking(Settings()), threading.Event()
    pipeline.model = loaded(server)
    server.script = lambda answer: in_the_middle(answer, stuck)
    speech = HeardSpeech(MonotonicClock(), "en")
    trace = Trace(MonotonicClock(), cancellation=speech.cancellation)
    cancel_when(stuck, lambda: hear(Cancel(7), InFlight(7, speech, None)))
    result, _ = perform(7, pipeline, speech, trace, None, lambda _: None)
    assert result.outcome == "timeout"
    assert result.reason == f"waiting for more of its answer ({server.url})"
    assert [mark.name for mark in result.trace.marks][:1] == ["llm.first_byte"]
    assert [span.stage for span in result.trace.spans] == ["llm.decode"]
