"""How turns end that are not answered as they should be: one outcome each, with the server's reason."""

from __future__ import annotations

from base64 import b64encode
from contextlib import suppress

import pytest
from support.realtime_server import Gone, Peer, Server
from support.realtime_turns import evidence, loaded

from firstpacket.bench.errors import BenchError
from firstpacket.bench.metrics.figures import turn_figures
from firstpacket.bench.record.schema import InputMode
from firstpacket.bench.timing.clock import VirtualClock


class Saying(Server):
    """Answers every turn by saying these events."""

    def __init__(self, *events: tuple[str, dict[str, object]], **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.events = events

    def respond(self, peer: Peer, number: int, late: dict[str, object] | None = None) -> None:
        for name, fields in self.events:
            peer.say(name, **fields)


def done(status: str, **details: object) -> tuple[str, dict[str, object]]:
    return "response.done", {"response": {"id": "r", "status": status, "status_details": details or None}}


def error(code: str, message: str = "no.") -> tuple[str, dict[str, object]]:
    return "error", {"error": {"type": "invalid_request_error", "code": code, "message": message}}


@pytest.mark.parametrize(
    ("events", "outcome", "reason"),
    [
        ([done("completed")], "silent", "the server's reply is completed and has no audio"),
        ([("response.done", {"response": []})], "silent", "the server's reply is over and has no audio"),
        (
            [("response.function_call_arguments.done", {"name": "look_up", "arguments": "{}"}), done("completed")],
            "silent",
            "the model called look_up instead of answering",
        ),
        ([done("incomplete", reason="content_filter")], "silent", "incomplete (content_filter)"),
        (
            [done("failed", error={"code": "insufficient_quota", "message": "pay"})],
            "limited",
            "insufficient_quota: pay",
        ),
        ([done("failed", error={"code": "boom", "message": "sorry"})], "failed", "boom: sorry"),
        ([error("rate_limit_exceeded", "slow down")], "limited", "rate_limit_exceeded: slow down"),
        ([error("session_limit_reached")], "busy", "session_limit_reached"),
        ([error("model_not_found", "no such model")], "refused", "no such model"),
        ([error("session_expired")], "session_ended", "session_expired"),
        ([error("server_error", "oops")], "failed", "oops"),
    ],
)
def test_a_turn_without_a_reply(events: list[tuple[str, dict[str, object]]], outcome: str, reason: str) -> None:
    result = loaded(Saying(*events)).turn()
    assert result.outcome == outcome
    assert reason in result.reason


@pytest.mark.parametrize(
    ("code", "outcome"), [(1000, "session_ended"), (1013, "busy"), (4000, "session_ended"), (1006, "failed")]
)
def test_a_connection_that_the_server_ends(code: int, outcome: str) -> None:
    class Ending(Server):
        def respond(self, peer: Peer, number: int, late: dict[str, object] | None = None) -> None:
            peer.end(code, "")

    pipeline = loaded(Ending())
    assert [pipeline.turn().outcome, pipeline.turn().outcome] == [outcome, outcome], "the next turn has a new session"


def test_a_reply_without_the_question_is_not_heard_however_fast_it_is() -> None:
    class Deaf(Server):
        def converse(self, peer: Peer) -> None:
            while peer.receive()["type"] != "response.create":
                pass
            self.transcript = None
            self.respond(peer, 1)

    result = loaded(Deaf(), turns="manual").turn("file")
    assert result.outcome == "not_heard"
    assert result.reason == "the server replied before it had committed the user's turn"
    assert result.trace.packets, "what came is kept"


def test_an_empty_transcript_is_not_heard() -> None:
    assert loaded(Server(transcript=" ")).turn().outcome == "not_heard"


def test_a_pause_that_the_server_takes_for_the_end_splits_the_turn() -> None:
    class Hasty(Server):
        def converse(self, peer: Peer) -> None:
            for number in (1, 2):
                for _ in range(25):
                    peer.receive()
                self.answer(peer, number, 500 * number)
            while True:
                peer.receive()

    result = loaded(Hasty(think_ms=10)).turn()
    assert (result.outcome, result.reason) == ("split", "the server split the utterance into 2 turns")
    assert turn_figures(evidence(result)).flags == ("false_endpoint",)


def test_a_server_that_never_replies_is_a_timeout() -> None:
    assert loaded(Saying()).turn(deadline_s=2).outcome == "timeout"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("garbage", "not JSON: garbage"),
        (" " * 1_000, "not JSON: 1000 characters that begin with white space"),
        ("[1]", "JSON without a type"),
        ('{"type": 3}', "JSON without a type"),
        ("[" * 100_000, "not JSON"),
        (b"\0\1", "2 binary bytes"),
        ('{"type": "response.output_audio.delta", "delta": "?"}', "audio that is not base64"),
    ],
)
def test_garbage_fails_one_turn(raw: str | bytes, reason: str) -> None:
    class Garbage(Server):
        garbage = True

        def respond(self, peer: Peer, number: int, late: dict[str, object] | None = None) -> None:
            if Garbage.garbage:
                Garbage.garbage = False
                peer.deliver(raw)
            else:
                super().respond(peer, number, late)

    pipeline = loaded(Garbage())
    result = pipeline.turn()
    assert result.outcome == "failed" and reason in result.reason
    assert pipeline.turn().outcome == "answered"


def test_a_server_that_grants_no_session_is_an_error_at_loading() -> None:
    def refusing(peer: Peer) -> None:
        with suppress(Gone):
            peer.say("error", error={"type": "invalid_request_error", "code": "model_not_found", "message": "no tiny"})
            peer.receive()

    with pytest.raises(BenchError, match=r"model_not_found: no tiny\. Check that the server is running, and check url"):
        loaded(refusing)


def test_a_server_that_is_busy_for_a_while_is_asked_again_before_the_turn() -> None:
    class Busy(Server):
        refused = 0

        def open(self, peer: Peer) -> None:
            if 1 < len(self.peers) <= 4:
                Busy.refused += 1
                peer.say("error", error={"code": "session_limit_reached", "message": "one at a time"})
                raise Gone
            super().open(peer)

    pipeline = loaded(Busy())
    assert pipeline.turn().outcome == "answered"
    assert pipeline.turn().outcome == "answered"
    assert Busy.refused == 3


def test_an_error_of_any_kind_before_a_turn_is_a_refusal() -> None:
    class Strict(Server):
        def open(self, peer: Peer) -> None:
            if len(self.peers) > 1:
                peer.say("error", error={"code": "boom", "message": "no"})
                raise Gone
            super().open(peer)

    assert loaded(Strict()).turn().outcome == "refused"


def test_a_sample_in_two_messages_is_not_lost() -> None:
    pieces = [("response.output_audio.delta", {"delta": b64encode(data).decode()}) for data in (b"\1\2\3", b"\4")]
    result = loaded(Saying(*pieces, done("completed"))).turn()
    assert [packet.samples for packet in result.trace.packets] == [1, 1]


def test_systems_take_turns_with_a_server_that_has_room_for_one() -> None:
    class OneAtATime(Server):
        taken = False

        def __call__(self, peer: Peer) -> None:
            if self.taken:
                peer.say("error", error={"code": "session_limit_reached", "message": "one at a time"})
                return
            self.taken = True
            super().__call__(peer)
            peer.wait(200)  # it is slow to notice that the client has left
            self.taken = False

    server, clock = OneAtATime(), VirtualClock()
    systems = [loaded(server, clock=clock, endpoint_silence=silence) for silence in (300, 900)]
    assert [system.turn().outcome for _ in range(2) for system in systems] == ["answered"] * 4


@pytest.mark.parametrize("input", ["file", "realtime"])
def test_a_server_whose_detector_cannot_be_switched_off_did_not_hear_a_manual_turn(input: InputMode) -> None:
    class Detecting(Server):
        """Hears the user begin, never says that they stopped, and replies to `response.create` without the question."""

        def converse(self, peer: Peer) -> None:
            peer.receive()
            peer.say("input_audio_buffer.speech_started", audio_start_ms=0, item_id="item_1")
            while peer.receive()["type"] != "response.create":
                pass
            self.transcript = None
            self.respond(peer, 1)
            while True:
                peer.receive()

    result = loaded(Detecting(), turns="manual").turn(input)
    assert result.outcome == "not_heard" and not result.flags
