"""Which session a turn gets, and how sessions are left: servers that have one at a time, or that end them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.realtime_server import Gone, Peer, Server
from support.realtime_turns import Loaded, loaded

from firstpacket.bench.timing.clock import VirtualClock

SECOND = 1_000_000_000


class OneAtATime(Server):
    """Has one session; whoever leaves it in mid-reply keeps it until the reply is over."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.taken = 0
        self.refused = 0

    def open(self, peer: Peer) -> None:
        if self.taken:
            self.refused += 1
            peer.say("error", error={"code": "session_limit_reached", "message": "one at a time"})
            raise Gone
        self.taken += 1
        super().open(peer)

    def __call__(self, peer: Peer) -> None:
        taken = self.taken
        super().__call__(peer)
        if not taken:
            self.taken -= 1


def test_systems_take_turns_with_a_servers_only_session() -> None:
    server = OneAtATime()
    clock = VirtualClock()
    first, second = loaded(server, clock=clock), loaded(server, clock=clock)
    for pipeline in (first, second, first):
        assert pipeline.turn().outcome == "answered"
    assert server.refused == 0


@pytest.mark.parametrize("conversation", ["turn", "run"])
def test_a_reply_that_was_left_early_is_over_before_the_next_session(conversation: str) -> None:
    server = OneAtATime(pieces=((0, 100), (3000, 100)))
    pipeline = loaded(server, conversation=conversation)
    left = pipeline.turn(leave_after="first_packet")
    assert (left.outcome, len(left.trace.packets)) == ("answered", 1)
    whole = pipeline.turn()
    assert (whole.outcome, len(whole.trace.packets)) == ("answered", 2)
    assert server.refused == 0, "it was not asked while it was busy"
    assert whole.trace.session is not None
    assert whole.trace.session.begun_ns - left.trace.packets[0].at_ns >= 3 * SECOND
    assert whole.trace.session.renewed == (conversation == "run")


def test_a_reply_that_does_not_end_is_not_waited_for_without_end() -> None:
    server = Server(pieces=((0, 100), (3_600_000, 100)))
    pipeline = loaded(server)
    left = pipeline.turn(leave_after="first_packet")
    server.pieces = ((0, 100),)
    following = pipeline.turn()
    assert following.outcome == "answered"
    assert following.delivery.start_ns - left.trace.packets[0].at_ns < 12 * SECOND


def reconnecting(tmp_path: Path, server: Server, minutes: float) -> Loaded:
    table = tmp_path / "short.toml"
    table.write_text(f"minutes = {minutes}\n")
    return loaded(server, dialect=str(table), conversation="run")


def test_a_session_is_replaced_before_the_server_would_end_it(tmp_path: Path) -> None:
    server = Server()
    pipeline = reconnecting(tmp_path, server, minutes=3)
    sessions = []
    for _ in range(4):
        found = pipeline.turn()
        assert found.outcome == "answered"
        sessions.append(found.trace.session)
        pipeline.clock.sleep_until_ns(pipeline.clock.now_ns() + 25 * SECOND)
    assert [session is not None for session in sessions] == [True, False, False, True]
    assert sessions[3] is not None and not sessions[3].renewed, "it was planned"
    assert len(server.peers) == 2


def test_a_session_that_was_made_long_ago_is_not_used_for_the_first_turn(tmp_path: Path) -> None:
    server = Server()
    pipeline = reconnecting(tmp_path, server, minutes=3)
    pipeline.clock.sleep_until_ns(pipeline.clock.now_ns() + 90 * SECOND)
    assert pipeline.turn().outcome == "answered"
    assert len(server.peers) == 2


def test_what_a_server_says_late_belongs_to_no_other_turn() -> None:
    """Transcripts come in no order with the reply."""

    class Late(Server):
        def respond(self, peer: Peer, number: int, late: dict[str, Any] | None = None) -> None:
            self.transcript = None
            super().respond(peer, number, late)
            peer.wait(100 if number == 1 else 0)
            said = {"item_id": f"item_{number}", "transcript": "one" if number == 1 else "two"}
            if number == 1:
                # Once between the turns, once in the middle of the next one.
                peer.say("conversation.item.input_audio_transcription.completed", **said)
                for _ in range(60):
                    peer.receive()
                peer.say("conversation.item.input_audio_transcription.completed", **said)

    pipeline = loaded(Late(), conversation="run")
    first, second = pipeline.turn(), pipeline.turn(seconds=2)
    assert [first.outcome, second.outcome] == ["answered", "answered"]
    assert not [text for text in second.trace.texts if text.kind == "transcript"]
    assert not [message for message in second.trace.messages if message.id == "item_1"]


def test_a_server_that_gives_every_response_the_same_id_is_understood() -> None:
    class Lazy(Server):
        def respond(self, peer: Peer, number: int, late: dict[str, Any] | None = None) -> None:
            super().respond(peer, 1, late)

    pipeline = loaded(Lazy(), conversation="run")
    assert [pipeline.turn().outcome for _ in range(3)] == ["answered"] * 3


def test_a_session_in_which_a_turn_went_wrong_is_not_used_again() -> None:
    """The reply to the first turn would be taken for that to the second."""

    class Slow(Server):
        def respond(self, peer: Peer, number: int, late: dict[str, Any] | None = None) -> None:
            if len(self.peers) == 1:
                peer.say("error", error={"code": "server_error", "message": "wait"})
                peer.wait(2000)
                super().respond(peer, 7, late)
            else:
                super().respond(peer, number, late)

    server = Slow()
    pipeline = loaded(server, conversation="run")
    wrong, right = pipeline.turn(), pipeline.turn()
    assert (wrong.outcome, right.outcome) == ("failed", "answered")
    assert len(server.peers) == 2


def test_a_server_may_be_done_before_the_client_has_finished_writing() -> None:
    found = loaded(Server(think_ms=0, pieces=((0, 20),)), send_ms=50, turns="manual").turn("file")
    assert found.outcome == "answered"
