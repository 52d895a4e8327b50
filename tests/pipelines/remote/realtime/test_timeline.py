"""Stages of turns whose messages come in unusual order, or late; and turns that go on after an error."""

from __future__ import annotations

import pytest

from firstpacket.bench.pipeline import TurnEnded
from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.bench.timing.spans import Message
from firstpacket.pipelines.remote.problems import ServerError
from firstpacket.pipelines.remote.realtime.connection import Address, open_session
from firstpacket.pipelines.remote.realtime.dialect import load_dialect
from firstpacket.pipelines.remote.realtime.events import Event
from firstpacket.pipelines.remote.realtime.session import SessionConfig
from firstpacket.pipelines.remote.realtime.timeline import APPEND, AUDIO, build_timeline
from firstpacket.pipelines.remote.realtime.turn import Turn

OPENAI = load_dialect("openai")
SPEECH = Message(True, APPEND, 12, 1, done_ns=15, due_ns=10, audio_bytes=2)


def got(at_ns: int, name: str, audio_bytes: int = 0, body: str = "") -> Message:
    return Message(False, name, at_ns, 1, audio_bytes=audio_bytes, body=body)


def stopped(at_ns: int, audio_end_ms: int | None = None) -> Message:
    body = "" if audio_end_ms is None else f'{{"audio_end_ms": {audio_end_ms}}}'
    return got(at_ns, "input_audio_buffer.speech_stopped", body=body)


@pytest.mark.parametrize(
    ("messages", "stages"),
    [
        ([SPEECH, stopped(40), got(60, AUDIO, 0), got(90, AUDIO, 2)],
         [("uplink", 10, 15), ("endpoint", 15, 40), ("wait", 40, 90)]),
        ([SPEECH, Message(True, APPEND, 30, 1, audio_bytes=2, position_ns=20_000_000, body="silence"),
          stopped(32, 10), stopped(40, 30), got(90, AUDIO, 2)],
         [("uplink", 10, 15), ("endpoint", 15, 30), ("wait", 30, 90)]),
        ([SPEECH, got(13, AUDIO, 2), stopped(40)], [("uplink", 10, 13), ("endpoint", 13, 13)]),
        ([SPEECH,
          Message(True, "input_audio_buffer.commit", 22, 1, done_ns=25, due_ns=20),
          Message(True, "response.create", 26, 1, done_ns=30, due_ns=20), got(90, AUDIO, 2)],
         [("uplink", 20, 30), ("wait", 30, 90)]),
    ],
    ids=["audio without samples", "the last stop counts", "a reply before the end of the speech", "manual"],
)  # fmt: skip
def test_stages_meet_whatever_the_order(messages: list[Message], stages: list[tuple[str, int, int]]) -> None:
    assert list(build_timeline(messages, OPENAI).stages) == stages


def turn_after(*names: str, manual: bool = False) -> Turn:
    """A turn in which these messages came."""
    turn = Turn(OPENAI, manual)
    turn.speech_over = True
    for name in names:
        audio = b"\0\0" if name == AUDIO else b""
        turn.received(Event(name, name, {"error": {"code": "boom"}} if name == "error" else {}, audio))
    return turn


COMMITTED = "input_audio_buffer.committed"


def test_an_error_ends_no_reply_that_is_under_way() -> None:
    assert not turn_after(COMMITTED, "response.created", AUDIO, "error").over
    assert turn_after(COMMITTED, "error").over
    assert turn_after(COMMITTED, "response.created", AUDIO, "error", "response.done").judge() == ""


def test_two_commits_split_only_a_turn_that_the_server_ends() -> None:
    assert turn_after(COMMITTED, COMMITTED, AUDIO, "response.done", manual=True).judge() == ""
    with pytest.raises(TurnEnded) as ended:
        turn_after(COMMITTED, COMMITTED, AUDIO, "response.done").judge()
    assert ended.value.outcome == "split", "without ids, too"


@pytest.mark.parametrize(("status", "outcome"), [(401, "refused"), (429, "limited"), (503, "busy"), (500, "failed")])
def test_the_status_that_refuses_a_connection_is_the_outcome(status: int, outcome: str) -> None:
    def connect(*_: object) -> None:
        raise ServerError("no", status)

    with pytest.raises(TurnEnded) as ended:
        open_session(Address("ws://a", "", OPENAI), SessionConfig(), VirtualClock(), connect)  # type: ignore[arg-type]
    assert ended.value.outcome == outcome
