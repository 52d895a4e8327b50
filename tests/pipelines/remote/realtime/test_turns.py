"""Turns against an honest server, on virtual time: every stamp is exact."""

from __future__ import annotations

import json

import pytest
from support.realtime_server import Server
from support.realtime_turns import after_speech_ms, evidence, loaded, types
from support.virtual import make_utterance

from firstpacket.bench.metrics.figures import turn_figures
from firstpacket.bench.run.speech import HeardSpeech
from firstpacket.bench.timing.trace import Trace
from firstpacket.bench.vocabulary import KnownMark
from firstpacket.pipelines.remote.realtime import Realtime


def test_a_turn_with_the_servers_detector() -> None:
    result = loaded(Server(think_ms=300)).turn()
    assert (result.outcome, result.reason) == ("answered", "")
    # The detector needs 500 ms of silence after speech whose last half millisecond comes a frame later.
    assert after_speech_ms(result) == [
        ("uplink", 0, 0),
        ("endpoint", 0, 520),
        ("wait", 520, 820),
        ("reply", 820, 820),
    ]
    figures = turn_figures(evidence(result))
    assert figures.figures["first_packet_latency"] == 820_000_000
    assert figures.figures["endpointing_delay"] == 520_000_000
    assert {(part.stage, part.ns) for part in figures.path if part.ns} == {
        ("endpoint", 520_000_000),
        ("wait", 300_000_000),
    }


@pytest.mark.parametrize("input", ["file", "realtime"])
def test_a_manual_turn(input: str) -> None:
    result = loaded(Server(think_ms=300), turns="manual").turn(input)  # type: ignore[arg-type]
    assert result.outcome == "answered"
    assert after_speech_ms(result) == [("uplink", 0, 0), ("wait", 0, 300), ("reply", 300, 300)]
    assert types(result, sent=True)[-2:] == ["input_audio_buffer.commit", "response.create"]
    assert not [mark for mark in result.trace.marks if mark.name == KnownMark.ENDPOINT]


def test_setting_up_a_session_is_no_part_of_a_turn() -> None:
    pipeline = loaded(Server(ready_ms=100))
    assert pipeline.facts.facts["first_session_ms"] == 150
    for _ in range(2):
        result = pipeline.turn()
        assert result.trace.session is not None
        setup = result.trace.session
        assert (setup.open_ns - setup.begun_ns, setup.ready_ns - setup.open_ns) == (50_000_000, 100_000_000)
        assert setup.ready_ns < result.delivery.start_ns and not setup.renewed
        assert result.trace.round_trips_ns == (4_000_000,)


def test_a_conversation_for_the_run_has_one_session_and_one_time_line() -> None:
    server = Server()
    pipeline = loaded(server, conversation="run")
    first, second = pipeline.turn(), pipeline.turn()
    assert first.trace.session is not None and second.trace.session is None
    assert len(server.peers) == 1
    assert [each.outcome for each in (first, second)] == ["answered", "answered"]
    assert after_speech_ms(second)[1] == ("endpoint", 0, 520), "positions count from the connection, not from the turn"
    played_ns = first.trace.packets[0].at_ns + 600_000_000
    assert second.delivery.start_ns >= played_ns, "the user waits until the reply was played"


def test_every_message_is_recorded_as_it_came() -> None:
    server = Server()
    result = loaded(server).turn()
    received = [message for message in result.trace.messages if not message.sent]
    said = server.peers[-1].said
    assert [message.type for message in received] == [event["type"] for event in said]
    audio = [message for message in received if message.audio_bytes]
    assert [message.audio_bytes for message in audio] == [9600, 9600, 9600] and not any(each.body for each in audio)
    assert json.loads(received[-1].body)["response"]["status"] == "completed"
    sent = [message for message in result.trace.messages if message.sent]
    assert all(message.due_ns <= message.at_ns <= message.done_ns for message in sent)
    positions = [message.position_ns for message in sent if message.audio_bytes]
    assert positions == sorted(positions) and positions[0] == 0
    assert sum(message.audio_bytes for message in sent if message.body != "silence") == pytest.approx(48_000, abs=30)


def test_texts_have_the_moment_of_their_receipt() -> None:
    result = loaded(Server()).turn()
    assert [(text.kind, text.text) for text in result.trace.texts] == [
        ("transcript", "what time is it"),
        ("reply", "It is noon."),
    ]
    assert result.trace.texts[0].at_ns == result.trace.packets[0].at_ns


def test_what_the_server_did_not_apply_is_told() -> None:
    facts = loaded(Server(overrides={"output_modalities": ["text"]}), voice="alloy", conversation="run").facts
    assert facts.facts["not_applied"] == "output_modalities: requested ['audio'], got ['text']"
    assert "did not apply all requested settings: output_modalities" in facts.notices[0]
    assert loaded(Server()).facts.facts["not_applied"] == "nothing"


def test_the_servers_own_figures_are_kept_beside_ours() -> None:
    stated = {"speech_to_speech.turn_latency": json.dumps({"stt_s": 0.1, "e2e_s": 0.25, "status": "completed"})}
    server = Server(metadata=stated)
    result = loaded(server, dialect="hf").turn()
    figures = turn_figures(evidence(result)).figures
    assert {name: ns for name, ns in figures.items() if name.startswith("server.")} == {
        "server.transcription": 100_000_000,
        "server.e2e": 250_000_000,
    }


def test_only_turns_that_the_server_ends_have_an_endpoint() -> None:
    def stages(**chosen: str) -> list[str]:
        return [stage.id for stage in Realtime.declare(chosen).stages]

    assert stages() == ["uplink", "endpoint", "wait", "reply"]
    assert stages(turns="manual") == ["uplink", "wait", "reply"]
    assert Realtime.declare({}).finds_speech_end and not Realtime.declare({"turns": "manual"}).finds_speech_end
    assert (Realtime.declare({}).speech_end_given, Realtime.declare({"dialect": "hf"}).speech_end_given) == (
        "turns=manual",
        "",
    )


@pytest.mark.parametrize(("busy_ms", "late"), [(4, False), (6, True)])
def test_a_turn_whose_messages_wait_for_this_side_says_so(busy_ms: int, late: bool) -> None:
    pipeline = loaded(Server(pieces=((0, 20), (1, 20), (1, 20))), turns="manual")
    plugin, clock = pipeline.executor._pipeline, pipeline.clock
    assert plugin is not None
    speech, trace = HeardSpeech(clock, "en"), Trace(clock)
    plugin.prepare(trace)
    speech.hear(make_utterance().samples)
    speech.end()
    for packet in plugin.respond(speech, trace):
        assert len(packet.samples) == 480
        clock.sleep_until_ns(clock.now_ns() + (busy_ms + 1) * 1_000_000)
        busy_ms = 0
    seen = trace.finish()
    assert [mark.name for mark in seen.marks] == [KnownMark.READ_LATE] * late
    first, second, _ = (message.at_ns for message in seen.messages if message.audio_bytes and not message.sent)
    assert second - first == 1_000_000, "stamped at receipt, not when it was read"
