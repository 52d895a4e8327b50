"""What follows from a turn's messages is derived again from them alone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from support.realtime_server import Peer, Server
from support.realtime_turns import loaded

from firstpacket.bench.redact.messages import redacted_message
from firstpacket.bench.timing.spans import Message, TurnTrace
from firstpacket.pipelines.remote.realtime import Realtime

STATED = {"speech_to_speech.turn_latency": json.dumps({"stt_s": 0.1})}


def moved(trace: TurnTrace, kind: str, by_ns: int) -> TurnTrace:
    """The trace with messages of one type at another time."""

    def maybe(message: Message) -> Message:
        return replace(message, at_ns=message.at_ns + by_ns) if message.type == kind else message

    return replace(trace, messages=tuple(map(maybe, trace.messages)))


@pytest.mark.parametrize("options", [{}, {"turns": "manual"}, {"dialect": "hf"}, {"conversation": "run"}])
def test_a_replay_gives_the_same_trace(options: dict[str, str]) -> None:
    pipeline = loaded(Server(metadata=STATED), **options)
    for _ in range(2):
        trace = pipeline.turn().trace
        assert Realtime.replay({"dialect": options.get("dialect", "openai")}, trace) == trace


@pytest.mark.parametrize("options", [{}, {"turns": "manual"}, {"dialect": "hf"}])
def test_a_redacted_turn_has_the_same_stages_and_figures(options: dict[str, str]) -> None:
    trace = loaded(Server(metadata=STATED), **options).turn().trace
    redacted = replace(trace, messages=tuple(map(redacted_message, trace.messages)))
    assert redacted.messages != trace.messages
    again = Realtime.replay({"dialect": options.get("dialect", "openai")}, redacted)
    assert replace(again, texts=(), messages=()) == replace(trace, texts=(), messages=())
    assert {text.kind for text in again.texts} == {text.kind for text in trace.texts}


def test_a_replay_follows_the_messages_alone() -> None:
    trace = loaded(Server()).turn().trace
    again = Realtime.replay({"dialect": "openai"}, moved(trace, "response.output_audio.delta", 5_000_000))
    (before,) = [span for span in trace.spans if span.stage == "wait"]
    (after,) = [span for span in again.spans if span.stage == "wait"]
    assert (after.start_ns, after.end_ns) == (before.start_ns, before.end_ns + 5_000_000)
    without = replace(trace, messages=())
    assert not [span for span in Realtime.replay({"dialect": "openai"}, without).spans if span.stage != "reply"]


def test_what_a_long_turn_says_at_its_end_is_kept() -> None:
    class Talkative(Server):
        def respond(self, peer: Peer, number: int, late: dict[str, Any] | None = None) -> None:
            peer.say("response.created", response=self.response(number, "in_progress"))
            for _ in range(5_000):
                peer.say("response.output_audio_transcript.delta", response_id=f"resp_{number}", delta="word ")
            super().respond(peer, number, late)

    trace = loaded(Talkative(metadata={**STATED, "long": "x" * 20_000}), dialect="hf").turn().trace
    assert [figure.name for figure in trace.server_figures] == ["transcription"]
    (reply,) = [text.text for text in trace.texts if text.kind == "reply"]
    assert reply.startswith("word word") and reply.endswith("It is noon.")
