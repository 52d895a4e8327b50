"""Servers that break down, over real sockets: one outcome with its reason, no hang, and the next turn is answered."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest

pytest.importorskip("websockets")

from support.realtime_server import Gone, Peer, Server, tone, websocket_server
from support.realtime_turns import Loaded, connected

from firstpacket.bench.errors import BenchError
from firstpacket.bench.record.schema import TurnResult
from firstpacket.bench.run.speech import HeardSpeech
from firstpacket.bench.timing.cancellation import TurnCancelled
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.remote import websocket
from firstpacket.pipelines.remote.realtime.turn import MAX_EVENTS

Fault = Callable[[Peer], None]
TURN = 2
"""The connection of the first turn; the one before is that of loading."""


@pytest.fixture(autouse=True)
def short_goodbyes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "CLOSE_S", 0.2)


def quick(**options: Any) -> dict[str, Any]:
    return {"think_ms": 2, "ready_ms": 0, "pieces": ((0, 20), (2, 20), (2, 20)), **options}


class Breaking(Server):
    """Breaks down once, in the connection of the first turn: in place of an event, or after the last one."""

    def __init__(self, instead_of: str, fault: Fault, number: int = 1, connection: int = TURN) -> None:
        super().__init__(**quick())
        self.instead_of, self.fault, self.number, self.connection = instead_of, fault, number, connection

    def __call__(self, peer: Peer) -> None:
        super().__call__(BreakingPeer.of(peer, self) if len(self.peers) == self.connection else peer)


@dataclass(slots=True)
class BreakingPeer(Peer):
    server: Breaking | None = None
    count: int = 0

    @classmethod
    def of(cls, peer: Peer, server: Breaking) -> BreakingPeer:
        known = {name: getattr(peer, name) for name in Peer.__slots__}
        return cls(**known, server=server)

    def receive(self, until_ns: int | None = None) -> dict[str, Any]:
        message = super(BreakingPeer, self).receive(until_ns)
        self.meet(f"their {message['type']}")
        return message

    def say(self, type: str, **fields: Any) -> None:
        self.meet(type)
        super(BreakingPeer, self).say(type, **fields)
        self.meet(f"after {type}")

    def meet(self, name: str) -> None:
        assert self.server is not None
        if name == self.server.instead_of:
            self.count += 1
            if self.count == self.server.number:
                self.server.fault(self)
                raise Gone


def killed(peer: Peer) -> None:
    """What the other side sees when a process ends that has read everything."""
    with suppress(OSError):
        peer.connection.socket.shutdown(socket.SHUT_RDWR)


def reset(peer: Peer) -> None:
    peer.connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.connection.close_socket()


PHASES = {
    "before session.created": ("session.created", 1),
    "before session.updated": ("session.updated", 1),
    "while speech is sent": ("their input_audio_buffer.append", 2),
    "after commit": ("input_audio_buffer.committed", 1),
    "before response.created": ("response.created", 1),
    "before audio": ("response.output_audio.delta", 1),
    "in mid-audio": ("response.output_audio.delta", 2),
    "after audio": ("response.done", 1),
}


@pytest.mark.parametrize("fault", [killed, reset], ids=["killed", "reset"])
@pytest.mark.parametrize("phase", PHASES)
def test_a_server_that_ends_in_any_phase_costs_one_turn(phase: str, fault: Fault) -> None:
    name, number = PHASES[phase]
    broken, next_one = turns(Breaking(name, fault, number))
    assert broken.outcome == "failed"
    assert broken.reason.startswith("the connection broke off") and is_a_line(broken.reason)
    assert bool(broken.trace.packets) == (phase in ("in mid-audio", "after audio")), "what came is kept"
    assert next_one.outcome == "answered"


@pytest.mark.parametrize("fault", [killed, reset], ids=["killed", "reset"])
def test_a_server_that_ends_between_turns_costs_none(fault: Fault) -> None:
    """Its end is seen before the next turn, whose connection is then a new one."""
    server = Breaking("after response.done", fault, connection=1)
    first, second = turns(server, conversation="run")
    assert [first.outcome, second.outcome] == ["answered", "answered"]
    assert len(server.peers) == 2
    assert second.trace.session is not None and second.trace.session.renewed


def turns(server: Server, count: int = 2, **options: Any) -> list[TurnResult]:
    """Turns one after another, in short clips."""
    with websocket_server(server) as url:
        pipeline = connected(url, **{"turns": "manual", **options})
        began = time.monotonic()
        found = [pipeline.turn("realtime", seconds=0.06, deadline_s=3) for _ in range(count)]
        assert time.monotonic() - began < 3 * count
        pipeline.executor.stop()
    return found


def is_a_line(reason: str) -> bool:
    return 0 < len(reason) < 400 and reason.isprintable()


# What it sends instead.


def raw(data: bytes) -> Fault:
    return lambda peer: peer.connection.socket.sendall(data)


def message(text: str) -> Fault:
    return lambda peer: peer.connection.send(text)


def closing(code: int, reason: str = "") -> Fault:
    return lambda peer: peer.connection.close(code, reason)


def deaf(fault: Fault) -> Fault:
    """It leaves the connection open whatever it is told afterwards."""

    def act(peer: Peer) -> None:
        peer.connection.protocol.receive_data = lambda data: None
        fault(peer)

    return act


def close_frame_alone(peer: Peer) -> None:
    """It says goodbye, and leaves the connection as it is."""
    peer.connection.socket.sendall(b"\x88\x06\x03\xf5later"[:8])


@pytest.mark.parametrize(
    ("fault", "outcome", "reason"),
    [
        (raw(b"\xff" * 64), "failed", "the connection broke off: "),
        (deaf(raw(b"\xff" * 64)), "failed", "the connection broke off: "),
        (raw(b"\x81\x7f" + (websocket.MAX_SIZE + 1).to_bytes(8, "big")), "failed", "16777217 bytes exceeds limit"),
        (raw(b"\x81\x02\xff\xfe"), "failed", "not JSON"),
        (message("[" * 100_000), "failed", "not JSON"),
        (message('{"type": "error", "error": ' + "[" * 900 + "]" * 900 + "}"), "failed", "the server reports"),
        (message(json.dumps({"type": "x" * 3_000_000})[:-1]), "failed", "not JSON"),
        (message(json.dumps({"type": "error", "error": "oh\n" * 1_000_000})), "failed", "the server reports: oh oh"),
        (closing(1013, "later"), "busy", "(code 1013): later"),
        (closing(1000), "session_ended", "(code 1000)"),
        (deaf(close_frame_alone), "busy", "(code 1013): late"),
    ],
    ids=["frames", "frames and nothing", "too large",
         "not UTF-8", "deep", "deep but whole", "cut", "long", "busy", "goodbye", "no end"],
)  # fmt: skip
def test_what_is_no_answer_costs_one_turn(fault: Fault, outcome: str, reason: str) -> None:
    broken, next_one = turns(Breaking("response.created", fault))
    assert (broken.outcome, reason in broken.reason) == (outcome, True), broken.reason
    assert is_a_line(broken.reason)
    assert next_one.outcome == "answered"


def test_a_large_message_and_one_that_comes_byte_by_byte_are_as_good_as_others() -> None:
    def trickled(peer: Peer) -> None:
        text = json.dumps({"type": "rate_limits.updated", "rate_limits": []}).encode()
        for byte in bytes([0x81, len(text)]) + text:
            peer.connection.socket.sendall(bytes([byte]))
        peer.connection.send(json.dumps({"type": "mcp_list_tools.completed", "tools": "x" * (3 << 20)}))

    class Odd(Server):
        def respond(self, peer: Peer, number: int, late: dict[str, Any] | None = None) -> None:
            trickled(peer)
            super().respond(peer, number, late)

    (found,) = turns(Odd(**quick()), count=1)
    assert found.outcome == "answered"
    received = {each.type: each for each in found.trace.messages if not each.sent}
    assert "rate_limits.updated" in received
    assert received["mcp_list_tools.completed"].bytes > 3 << 20
    assert len(received["mcp_list_tools.completed"].body) < 1000


@pytest.mark.parametrize(("events", "outcome"), [(10_000, "answered"), (MAX_EVENTS + 1_000, "failed")])
def test_many_events(events: int, outcome: str) -> None:
    class Talkative(Server):
        def respond(self, peer: Peer, number: int, late: dict[str, Any] | None = None) -> None:
            for _ in range(events if len(self.peers) == TURN else 0):
                peer.deliver('{"type": "input_audio_buffer.dtmf_event_received"}')
            super().respond(peer, number, late)

    broken, next_one = turns(Talkative(**quick()))
    assert broken.outcome == outcome
    assert outcome == "answered" or broken.reason == f"the server sent more than {MAX_EVENTS} messages in one turn"
    assert next_one.outcome == "answered"


def test_a_flood_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has not been read is in memory."""
    monkeypatch.setattr(websocket, "MAX_TOTAL", 1 << 20)

    def flooding(peer: Peer) -> None:
        for _ in range(300):
            peer.deliver(json.dumps({"type": "x" * 10_000}))

    broken, next_one = turns(Breaking("response.created", flooding))
    assert (broken.outcome, broken.reason) == ("failed", "the connection broke off: the server sent more than 1 MiB")
    assert len([message for message in broken.trace.messages if message.type[:1] == "x"]) < 110
    assert next_one.outcome == "answered"


# It neither answers nor reads.


class Stuck(Server):
    """Goes on neither reading nor writing in its first turn."""

    def converse(self, peer: Peer) -> None:
        if len(self.peers) == TURN:
            peer.reads.clear()
            while True:
                peer.receive()
        super().converse(peer)


@contextmanager
def stuck() -> Iterator[Loaded]:
    server = Stuck(**quick())
    with websocket_server(server) as url:
        yield connected(url, turns="manual")


def test_a_write_that_blocks_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "WRITE_TIMEOUT", struct.pack("ll", 0, 300_000))
    with stuck() as pipeline:
        found = pipeline.turn("file", seconds=150)
        assert (found.outcome, found.reason) == ("failed", "the connection broke off: the server has not read for 5 s")
        assert pipeline.turn("file", seconds=0.06).outcome == "answered"


def test_a_turn_whose_write_blocks_can_be_cancelled() -> None:
    with stuck() as loaded:
        pipeline, speech = loaded.executor._pipeline, HeardSpeech(loaded.clock, "en")
        assert pipeline is not None
        trace = Trace(loaded.clock, cancellation=speech.cancellation)
        pipeline.prepare(trace)
        speech.hear(tone(150_000, 16_000))
        speech.end()
        threading.Timer(0.3, speech.cancel).start()
        began = time.monotonic()
        with pytest.raises(TurnCancelled):
            list(pipeline.respond(speech, trace))
        assert time.monotonic() - began < 2, "else the process would be killed"
        assert loaded.turn("file", seconds=0.06).outcome == "answered"


# It is closed by another thread, as a worker does whose run ends.


@pytest.mark.parametrize("blocked", [True, False])
def test_a_turn_in_flight_ends_when_its_pipeline_is_closed(blocked: bool) -> None:
    with stuck() as loaded:
        pipeline, found = loaded.executor._pipeline, []
        assert pipeline is not None
        turn = threading.Thread(target=lambda: found.append(loaded.turn("file", seconds=150 if blocked else 0.06)))
        turn.start()
        time.sleep(1 if blocked else 0.2)
        began = time.monotonic()
        pipeline.close()
        assert time.monotonic() - began < 1.5, "a worker has 5 s, of which 1 s has passed by then"
        turn.join(3)
        assert [each.outcome for each in found] == ["failed" if blocked else "session_ended"]


@pytest.mark.parametrize("conversation", ["turn", "run"])
def test_a_run_that_ends_has_said_goodbye(conversation: str) -> None:
    """The process ends next, and would take a thread with it that says so."""

    class Slow(Server):
        def __call__(self, peer: Peer) -> None:
            receive = peer.connection.protocol.receive_data

            def slowly(data: bytes) -> None:
                time.sleep(0.02)
                receive(data)

            peer.connection.protocol.receive_data = slowly
            super().__call__(peer)

    server = Slow(**quick())
    with websocket_server(server) as url:
        pipeline = connected(url, turns="manual", conversation=conversation)
        assert pipeline.turn("file", seconds=0.06).outcome == "answered"
        pipeline.executor.stop()
        received = [peer.connection.protocol.close_rcvd for peer in server.peers]
        assert [frame and frame.code for frame in received] == [1000] * len(received)


# Before there is a connection.


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """Something that listens; gives its URL."""
    with socket.create_server(("127.0.0.1", 0)) as port:
        kept: list[socket.socket] = []

        def accept() -> None:
            with suppress(OSError):
                while True:
                    kept.append(port.accept()[0])
                    serve(kept[-1])

        threading.Thread(target=accept, daemon=True).start()
        yield f"ws://127.0.0.1:{port.getsockname()[1]}"
        port.shutdown(socket.SHUT_RDWR)


def answering(text: bytes) -> Callable[[socket.socket], None]:
    def serve(client: socket.socket) -> None:
        client.recv(65_536)
        client.sendall(text)
        client.close()

    return serve


@pytest.mark.parametrize(
    ("serve", "reason"),
    [
        (socket.socket.close, "no connection: "),
        (lambda _: None, "no connection within 0.3 s"),
        (answering(b"hello\r\n\r\n"), "no connection: "),
        (answering(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nno.\n"), r"refused the connection \(403\): no"),
        (
            answering(b"HTTP/1.1 307 Moved\r\nLocation: wss://elsewhere.example/\r\nContent-Length: 0\r\n\r\n"),
            r"it redirects to wss://elsewhere.example/ \(307\), which is not followed. Set url to that address",
        ),
    ],
    ids=["closed", "silent", "no HTTP", "refused", "redirect"],
)
def test_what_is_no_server_is_an_error_at_loading(serve: Callable[[socket.socket], None], reason: str) -> None:
    with listening(serve) as url, pytest.raises(BenchError, match=reason) as raised:
        connected(url, timeout=0.3)
    assert "Check that the server is running" in str(raised.value)


def test_a_server_that_is_gone_for_a_turn_costs_that_turn() -> None:
    server = Server(**quick())
    with websocket_server(server) as url:
        pipeline = connected(url, turns="manual", timeout=2)
    gone = pipeline.turn("file")
    assert gone.outcome == "failed" and gone.reason.startswith("no connection: ")
    assert gone.trace.packets == ()
