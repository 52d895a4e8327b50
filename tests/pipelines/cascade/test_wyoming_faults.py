"""Servers that break down in the second of three turns: that turn has one outcome and one line, and none is lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.wyoming_run import wyoming_run
from support.wyoming_server import Behaviour, Peer, info, program, sound
from wyoming.asr import Transcript
from wyoming.audio import AudioChunk, AudioStart
from wyoming.error import Error
from wyoming.event import Event
from wyoming.handle import Handled
from wyoming.ping import Pong

from firstpacket.bench.record.schema import Turn
from firstpacket.bench.timing.spans import TurnTrace
from firstpacket.pipelines.remote.wyoming import connection

Fault = Callable[[Peer], None]
REQUESTS = {"asr": "audio-stop", "llm": "transcript", "tts": "synthesize"}
DESCRIBED = {
    "asr": info(asr=program("asr")),
    "llm": info(handle=program("handle")),
    "tts": info(tts=program("tts")),
}
ANSWERS: dict[str, list[Any]] = {"asr": [Transcript("hello")], "llm": [Handled("It is noon.")], "tts": sound(30)}


def breaking(role: str, phase: str, fault: Fault, times: int = 1) -> Behaviour:
    """Answers, but not in the second measured turn, when it receives `phase`, and as often after that as `times` says.

    Two turns come before the measured ones, and one `describe` at loading.
    """
    seen = {"phase": 0}
    first = 5 if phase == "describe" else 4

    def behave(peer: Peer) -> None:
        while (event := peer.read()) is not None:
            if event.type == phase and (phase != "audio-chunk" or _is_first_chunk(peer)):
                seen["phase"] += 1
                if first <= seen["phase"] < first + times:
                    fault(peer)
                    continue
            if event.type == "describe":
                peer.send(DESCRIBED[role])
            if event.type == REQUESTS[role]:
                peer.send(*ANSWERS[role])

    return behave


def _is_first_chunk(peer: Peer) -> bool:
    types = [event.type for _, event in peer.received]
    return types[-2:] == ["audio-start", "audio-chunk"]


def closes(peer: Peer) -> None:
    peer.hang_up()


def resets(peer: Peer) -> None:
    peer.hang_up("the connection broke: Connection reset by peer")


def says_nothing(peer: Peer) -> None:
    """Half-open: the other side is gone without a word."""


def garbage(peer: Peer) -> None:
    peer.raw(b"\x00\xffnonsense\n")


def reports(peer: Peer) -> None:
    peer.send(Error("out of\nmemory", "RuntimeError"))


def trickles(peer: Peer) -> None:
    """A byte every 100 ms, and never an event."""
    for _ in range(100):
        peer.raw(b" ").after(100)


def long_line(peer: Peer) -> None:
    peer.raw(b"x" * (3 << 20))


def closes_within_an_event(peer: Peer) -> None:
    peer.raw(b'{"type": "transcript", "data_length": 20}\n{"te').hang_up()


def promises_too_much(peer: Peer) -> None:
    peer.raw(b'{"type": "transcript", "data_length": 4000}\n{"text": "hi"}')


def promises_too_little(peer: Peer) -> None:
    peer.raw(b'{"type": "transcript", "data_length": 3}\n{"text": "hi"}')


def promises_the_moon(peer: Peer) -> None:
    peer.raw(b'{"type": "transcript", "payload_length": 1000000000000}\n')


def endless_events(peer: Peer) -> None:
    peer.raw(b'{"type": "pong"}\n' * (connection.MOST_EVENTS + 1))


def without_text(peer: Peer) -> None:
    peer.send(Event("transcript", {"text": 7}), Event("handled", {"text": 7}), Event("audio-start", {}))


def begins_and_closes(peer: Peer) -> None:
    peer.send(AudioStart(16_000, 2, 1), AudioChunk(16_000, 2, 1, b"\0\x20" * 160)).hang_up()


@dataclass(frozen=True)
class Broken:
    """The second of three turns, the others of which were answered."""

    turn: Turn
    trace: TurnTrace

    @property
    def outcome(self) -> str:
        return self.turn.outcome

    @property
    def reason(self) -> str:
        return self.turn.reason


def second_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str, behave: Behaviour) -> Broken:
    timeouts = {f"{each}_timeout": 2.0 for each in REQUESTS}
    run, _ = wyoming_run(tmp_path / "run", monkeypatch, {role: behave}, **timeouts)
    before, turn, after = run.measured()
    assert (before.outcome, after.outcome) == ("answered", "answered")
    return Broken(turn, run.evidence(turn).trace)


IN_THE_TURN: list[tuple[Fault, str, str]] = [
    (closes, "session_ended", "it closed the connection, while waiting"),
    (resets, "session_ended", "the connection broke: Connection reset by peer, while waiting"),
    (closes_within_an_event, "session_ended", "it closed the connection in the middle of an event, while waiting"),
    (says_nothing, "failed", "no event came for 2 s."),
    (trickles, "failed", "no event came for 2 s."),
    (promises_too_much, "failed", "no event came for 2 s."),
    (garbage, "failed", "a line that it sent is not JSON"),
    (reports, "failed", "it reported an error: out of memory (RuntimeError)."),
    (long_line, "failed", "it sent a line of more than 1,048,576 bytes."),
    (promises_too_little, "failed", "the data of its event transcript is not JSON"),
    (promises_the_moon, "failed", "has a payload_length of 1000000000000 bytes; at most 16,777,216 are taken."),
    (endless_events, "failed", "it sent more than 500 events without coming to an end."),
]


@pytest.mark.parametrize("role", REQUESTS)
@pytest.mark.parametrize(("fault", "outcome", "reason"), IN_THE_TURN, ids=lambda value: getattr(value, "__name__", ""))
def test_while_we_wait_for_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str, fault: Fault, outcome: str, reason: str
) -> None:
    monkeypatch.setattr(connection, "MOST_EVENTS", 500)
    broken = second_turn(tmp_path, monkeypatch, role, breaking(role, REQUESTS[role], fault))
    assert broken.outcome == outcome
    assert reason in broken.reason
    assert f"The server tcp://{role}:1: " in broken.reason and "\n" not in broken.reason and len(broken.reason) < 500
    assert any(span.stage == "asr" for span in broken.trace.spans), "what was seen before is kept"


@pytest.mark.parametrize(("role", "piece"), [("asr", "transcript-chunk"), ("llm", "handled-chunk")])
def test_a_text_that_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str, piece: str) -> None:
    """Pieces are short, and each partial transcript repeats those before it."""

    def goes_on(peer: Peer) -> None:
        peer.send(*[Event(piece, {"text": "and so on " * 100})] * 150)

    broken = second_turn(tmp_path, monkeypatch, role, breaking(role, REQUESTS[role], goes_on))
    assert broken.outcome == "failed" and "its text has more than 100,000 characters" in broken.reason
    assert sum(len(text.text) for text in broken.trace.texts) < 10_000_000


def test_messages_are_recorded_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def says_much(peer: Peer) -> None:
        peer.send(Event("pong", {"text": "x" * 50_000}), *[Event("pong", {"text": "x" * 900})] * 20, *ANSWERS["llm"])

    monkeypatch.setattr(connection, "MOST_OF_ALL_BODIES", 20_000)
    broken = second_turn(tmp_path, monkeypatch, "llm", breaking("llm", "transcript", says_much))
    assert broken.outcome == "answered"
    bodies = [len(message.body) for message in broken.trace.messages if message.type == "pong"]
    assert bodies[:2] == [10_001, 912] and bodies[-1] == 0 and sum(bodies) <= 20_000


@pytest.mark.parametrize("fault", [closes, resets])
def test_while_the_user_speaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault) -> None:
    broken = second_turn(tmp_path, monkeypatch, "asr", breaking("asr", "audio-chunk", fault))
    assert broken.outcome == "session_ended"
    assert sum(message.type == "audio-chunk" for message in broken.trace.messages) < 10, "nothing is sent after the end"


def test_while_it_speaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = second_turn(tmp_path, monkeypatch, "tts", breaking("tts", "synthesize", begins_and_closes))
    assert broken.outcome == "session_ended" and len(broken.trace.packets) == 1, "the packet that came is kept"


@pytest.mark.parametrize("role", REQUESTS)
def test_an_answer_of_the_wrong_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str) -> None:
    broken = second_turn(tmp_path, monkeypatch, role, breaking(role, REQUESTS[role], without_text))
    assert (broken.outcome == "failed" and "has no text" in broken.reason) or "does not say the rate" in broken.reason


BEFORE_THE_TURN: list[tuple[Fault, str]] = [
    (closes, "it closed the connection."),
    (resets, "the connection broke: Connection reset by peer."),
    (says_nothing, "it did not describe itself within 2 s."),
    (trickles, "it did not describe itself within 2 s."),
    (garbage, "a line that it sent is not JSON"),
    (endless_events, "it sent more than 500 events"),
]


@pytest.mark.parametrize(("fault", "reason"), BEFORE_THE_TURN, ids=lambda value: getattr(value, "__name__", ""))
def test_before_the_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault, reason: str) -> None:
    """The connection that was kept does not answer, and neither does a new one."""
    monkeypatch.setattr(connection, "MOST_EVENTS", 500)
    broken = second_turn(tmp_path, monkeypatch, "asr", breaking("asr", "describe", fault, times=2))
    assert (broken.outcome, broken.trace.session) == ("failed", None)
    assert reason in broken.reason and "\n" not in broken.reason


@pytest.mark.parametrize("fault", [closes, resets, says_nothing, garbage])
def test_a_connection_that_broke_between_turns_is_renewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    broken = second_turn(tmp_path, monkeypatch, "tts", breaking("tts", "describe", fault))
    assert broken.outcome == "answered" and broken.trace.session is not None
    assert broken.turn.figures["first_packet_latency"] == (250 + 100) * 1_000_000, (
        "the time that it took is not counted"
    )


@pytest.mark.parametrize("role", ["asr", "tts"])
def test_ten_thousand_events_and_three_mebibytes_are_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    def much(peer: Peer) -> None:
        peer.send(Pong()).raw(b'{"type": "pong"}\n' * 10_000)
        peer.raw(b'{"type": "pong", "payload_length": 3145728}\n' + bytes(3 << 20))
        peer.send(*ANSWERS[role])

    broken = second_turn(tmp_path, monkeypatch, role, breaking(role, REQUESTS[role], much))
    assert broken.outcome == "answered"
    assert sum(message.type == "pong" for message in broken.trace.messages) == 10_002
