"""A server that speaks OpenAI's Realtime API as a test tells it to: on a virtual clock, or over a real WebSocket.

pipeline = realtime_on(Server(think_ms=300))          # a class of the pipeline, for InProcessExecutor
with websocket_server(Server(think_ms=300)) as url:   # in this process, on the real clock
"""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from firstpacket.bench.timing.clock import Clock, Inbox, MonotonicClock, TimedInbox
from firstpacket.pipelines.remote.problems import ServerError
from firstpacket.pipelines.remote.realtime import Realtime
from firstpacket.pipelines.remote.realtime.audio import Format, decode, encode
from firstpacket.pipelines.remote.transport import Closed, Received, Target

MS = 1_000_000
QUIET = 0.01
"""Level below which the server's detector hears nothing."""


class Gone(Exception):
    """The client has ended the connection."""


@dataclass(slots=True)
class Peer:
    """The server's side of one connection."""

    clock: Clock
    inbox: TimedInbox
    deliver: Callable[[str | bytes], None]
    end: Callable[[int, str], None]
    target: Target
    heard: list[dict[str, Any]] = field(default_factory=list)
    """All messages of the client, audio left out."""
    said: list[dict[str, Any]] = field(default_factory=list)
    connection: Any = None
    """The server's side of the WebSocket, if there is one."""
    reads: threading.Event = field(default_factory=threading.Event)
    """Whether it reads what the client sends, if there is a WebSocket."""

    def receive(self, until_ns: int | None = None) -> dict[str, Any]:
        """The client's next message. Raises `Gone`, and `queue.Empty`."""
        item = self.inbox.get() if until_ns is None else self.inbox.get_until(until_ns)
        if item is None:
            raise Gone
        message: dict[str, Any] = json.loads(item)
        self.heard.append({**message, "audio": "..."} if "audio" in message else message)
        return message

    def say(self, type: str, **fields: Any) -> None:
        """Send an event."""
        event = {"type": type, "event_id": f"event_{len(self.said)}", **fields}
        self.said.append(event)
        self.deliver(json.dumps(event))

    def wait(self, ms: float) -> None:
        """Be busy for a while."""
        self.clock.sleep_until_ns(self.clock.now_ns() + round(ms * MS))


Script = Callable[[Peer], None]


@dataclass(slots=True)
class Server:
    """An honest server: a voice activity detector on the level of the audio, a reply of a tone."""

    think_ms: float = 300
    """From its decision that the user has finished to the first audio."""
    pieces: tuple[tuple[float, float], ...] = ((0, 200), (20, 200), (20, 200))
    """The reply's deltas: ms after the one before, ms of audio."""
    rate: int = 24_000
    output_rate: int = 24_000
    format: Format = "pcm"
    transcript: str | None = "what time is it"
    """What it heard; None: it does not say."""
    reply: str = "It is noon."
    renames: dict[str, str] = field(default_factory=dict)
    """Its names of events, by the generally available ones."""
    audio_field: str = "delta"
    states_rate: bool = False
    """Whether deltas of audio have their sample rate."""
    with_responses: bool = True
    """Whether it says `response.created` and `response.done`, and gives replies an id."""
    commit_starts: bool = False
    """Whether a manual turn must begin with a commit."""
    commit_replies: bool = False
    """Whether it replies to a commit; another request for a reply is then an error."""
    confirms: bool = True
    opens_with: tuple[str, ...] = ("session.created",)
    refuses: tuple[str, ...] = ()
    """Fields of a session that are an error."""
    prompt: bool = True
    """Whether it says `speech_stopped` at once, not only with the reply."""
    position: Literal["decision", "end of speech", "its clock", "none"] = "decision"
    """What its `audio_end_ms` is."""
    interim: Literal["", "delta", "updated"] = ""
    """The event, if any, with which it says what it has understood before it says what it heard."""
    extra: tuple[dict[str, Any], ...] = ()
    """Further events that it says before it replies."""
    transcript_last: bool = False
    """Whether the transcript comes after the reply."""
    metadata: dict[str, str] = field(default_factory=dict)
    session: dict[str, Any] = field(default_factory=lambda: default_session(type="realtime"))
    """What a session is before anything was asked for."""
    overrides: dict[str, Any] = field(default_factory=dict)
    """What its session has in place of what was asked for."""
    connect_ms: float = 50
    ready_ms: float = 100
    silence_ms: float | None = None
    """Silence that ends a turn, as the client asked; None for manual turns."""
    peers: list[Peer] = field(default_factory=list)
    """Its connections so far."""

    def __call__(self, peer: Peer) -> None:
        """Serve one connection until the client leaves."""
        with suppress(Gone):
            self.open(peer)
            self.converse(peer)

    def open(self, peer: Peer) -> None:
        """Grant the session."""
        peer.wait(self.ready_ms)
        for name in self.opens_with:
            conversation = {"id": "conv_1", "object": "realtime.conversation"}
            peer.say(name, **({"session": self.session} if "session" in name else {"conversation": conversation}))
        asked = peer.receive()
        assert asked["type"] == "session.update", asked
        self.silence_ms = asked_silence_ms(asked)
        session = asked.get("session", {})
        for path in self.refuses:
            if _has(session, path):
                peer.say("error", error={"type": "invalid_request_error", "message": f"`{path}` is not supported"})
        if self.confirms:
            peer.say("session.updated", session={**self.session, **session, **self.overrides})

    def converse(self, peer: Peer) -> None:
        """Turn after turn."""
        position = voiced_until = 0
        speaking, number = False, 0
        at_speech = self.position == "end of speech"
        while True:
            message = peer.receive()
            if message["type"] == "input_audio_buffer.append":
                samples = decode(base64.b64decode(message["audio"]), self.format)
                loud = np.flatnonzero(np.abs(samples) > QUIET)
                position += len(samples)
                if len(loud):
                    voiced_until = position - len(samples) + int(loud[-1]) + 1
                if self.silence_ms is None:
                    continue
                if len(loud) and not speaking:
                    speaking, number = True, number + 1
                    at_ms = max(0, (position - len(samples)) * 1000 // self.rate - 300)
                    peer.say("input_audio_buffer.speech_started", audio_start_ms=at_ms, item_id=f"item_{number}")
                silent = position - voiced_until
                if speaking and silent >= self.silence_ms * self.rate / 1000:
                    speaking = False
                    self.answer(peer, number, (voiced_until if at_speech else position) * 1000 // self.rate)
            elif message["type"] == "input_audio_buffer.commit":
                self.committed(peer, number := number + 1, bool(message.get("final")))
            elif message["type"] == "response.create":
                if self.commit_replies:
                    raise AssertionError("it has replied to the commit already")
                self.respond(peer, number)

    def committed(self, peer: Peer, number: int, final: bool) -> None:
        """The client has ended its turn, or has begun one."""
        if not self.commit_starts:
            peer.say("input_audio_buffer.committed", item_id=f"item_{number}", previous_item_id=None)
        elif final and number == 1:
            raise AssertionError("the turn was not begun")
        if final or self.commit_replies:
            self.respond(peer, number)

    def answer(self, peer: Peer, number: int, end_ms: int) -> None:
        """The user has finished: say so, and reply."""
        positions = {"decision": end_ms, "end of speech": end_ms, "its clock": peer.clock.now_ns() // MS}
        stopped = {"audio_end_ms": positions.get(self.position), "item_id": f"item_{number}"}
        if self.position == "none":
            del stopped["audio_end_ms"]
        if self.prompt:
            peer.say("input_audio_buffer.speech_stopped", **stopped)
            peer.say("input_audio_buffer.committed", item_id=f"item_{number}", previous_item_id=None)
            self.respond(peer, number)
        else:
            self.respond(peer, number, late=stopped)

    def respond(self, peer: Peer, number: int, late: dict[str, Any] | None = None) -> None:
        """Think, then speak."""
        peer.wait(self.think_ms)
        for event in self.extra:
            peer.say(**event)
        if late is not None:
            peer.say("input_audio_buffer.speech_stopped", **late)
            peer.say("input_audio_buffer.committed", item_id=f"item_{number}", previous_item_id=None)
        if not self.transcript_last:
            self.transcribe(peer, number)
        if self.with_responses:
            peer.say("response.created", response=self.response(number, "in_progress"))
        self.speak(peer, number)
        if self.with_responses:
            peer.say("response.done", response=self.response(number, "completed"))
        if self.transcript_last:
            self.transcribe(peer, number)

    def transcribe(self, peer: Peer, number: int) -> None:
        """Say what the user said."""
        field = {"delta": "delta", "updated": "transcript"}
        if self.transcript is not None and self.interim:
            name = f"conversation.item.input_audio_transcription.{self.interim}"
            peer.say(name, item_id=f"item_{number}", content_index=0, **{field[self.interim]: self.transcript[:9]})
        if self.transcript is not None:
            peer.say(
                self.named("conversation.item.input_audio_transcription.completed"),
                item_id=f"item_{number}",
                content_index=0,
                transcript=self.transcript,
                usage={"type": "duration", "seconds": 1.0},
            )

    def speak(self, peer: Peer, number: int) -> None:
        """The reply, audio and text."""
        reply = {"response_id": f"resp_{number}", "item_id": f"reply_{number}", "output_index": 0, "content_index": 0}
        ids = reply if self.with_responses else {}
        rate = {"sample_rate_hz": self.output_rate} if self.states_rate else {}
        for delay_ms, audio_ms in self.pieces:
            peer.wait(delay_ms)
            data = base64.b64encode(encode(tone(audio_ms, self.output_rate), self.format)).decode()
            peer.say(self.named("response.output_audio.delta"), **ids, **{self.audio_field: data}, **rate)
        peer.say(self.named("response.output_audio_transcript.delta"), **ids, delta=self.reply)
        peer.say(self.named("response.output_audio.done"), **ids)

    def named(self, name: str) -> str:
        """What it calls an event."""
        return self.renames.get(name, name)

    def response(self, number: int, status: str) -> dict[str, Any]:
        """The response as an object."""
        return {
            "id": f"resp_{number}",
            "object": "realtime.response",
            "status": status,
            "output": [],
            **({"metadata": self.metadata} if self.metadata else {}),
        }


def default_session(**fields: Any) -> dict[str, Any]:
    """A session with what every server states."""
    return {"id": "sess_1", "object": "realtime.session", "model": "tiny", **fields}


def _has(session: dict[str, Any], path: str) -> bool:
    first, _, rest = path.partition(".")
    return first in session and (not rest or _has(session[first] or {}, rest))


def asked_silence_ms(asked: dict[str, Any]) -> float | None:
    """The silence that ends a turn in a `session.update`; None for manual turns."""
    session = asked.get("session", {})
    detection = session.get("turn_detection", session.get("audio", {}).get("input", {}).get("turn_detection"))
    if detection is None:
        return None
    return float(detection.get("silence_duration_ms", 500))


def tone(ms: float, rate: int) -> Any:
    """A loud tone."""
    return (0.3 * np.sin(np.arange(round(ms * rate / 1000)) * 0.2)).astype(np.float32)


class _FakeTransport:
    def __init__(self, clock: Clock, peer: Peer, inbox: Inbox, ping_ms: float | None, send_ms: float) -> None:
        self._clock, self._peer, self._inbox, self._ping_ms, self._send_ms = clock, peer, inbox, ping_ms, send_ms
        self.open = True

    def send(self, text: str) -> None:
        if not self.open:
            raise ServerError("the connection has ended")
        self._peer.inbox.put(text)
        self._clock.sleep_until_ns(self._clock.now_ns() + round(self._send_ms * MS))

    def ping_ns(self, timeout_s: float) -> int | None:
        if self._ping_ms is None:
            return None
        self._clock.sleep_until_ns(self._clock.now_ns() + round(self._ping_ms * MS))
        return round(self._ping_ms * MS)

    def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        if self.open:
            self.open = False
            self._peer.inbox.put(None)
            self._inbox.put(Closed(self._clock.now_ns(), 1000, ""))


def realtime_on(
    server: Script, clock: Clock, connect_ms: float = 50, ping_ms: float | None = 4, send_ms: float = 0
) -> type[Realtime]:
    """The pipeline with a transport that leads to this server, on this clock.

    `send_ms` is how long a write goes on after the server has what was written.
    """

    def connect(target: Target, clock: Clock, inbox: Inbox) -> _FakeTransport:
        clock.sleep_until_ns(clock.now_ns() + round(connect_ms * MS))

        def deliver(raw: str | bytes) -> None:
            inbox.put(Received(clock.now_ns(), raw))

        def end(code: int, reason: str) -> None:
            transport.open = False
            inbox.put(Closed(clock.now_ns(), code, reason))

        peer = Peer(clock, clock.inbox(), deliver, end, target)
        transport = _FakeTransport(clock, peer, inbox, ping_ms, send_ms)
        if isinstance(server, Server):
            server.peers.append(peer)
        clock.spawn(lambda: server(peer), "server")
        return transport

    class OnThatServer(Realtime):
        pass

    OnThatServer.connect = staticmethod(connect)
    OnThatServer.clock = staticmethod(lambda: clock)
    return OnThatServer


@contextmanager
def websocket_server(server: Script, port: int = 0, **options: Any) -> Iterator[str]:
    """The server on a port of this machine, by default a free one; gives its URL.

    `options` are those of the library's server.
    """
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.server import ServerConnection, serve

    clock = MonotonicClock()
    connections: list[Peer] = []

    def handle(connection: ServerConnection) -> None:
        inbox = clock.inbox()
        path = connection.request.path if connection.request is not None else ""

        def deliver(raw: str | bytes) -> None:
            with suppress(ConnectionClosed):
                connection.send(raw)

        peer = Peer(clock, inbox, deliver, connection.close, Target(path))
        peer.connection = connection
        peer.reads.set()
        connections.append(peer)
        if isinstance(server, Server):
            server.peers.append(peer)
        script = threading.Thread(target=server, args=(peer,), daemon=True)
        script.start()
        with suppress(ConnectionClosed):
            for raw in connection:
                inbox.put(raw)
                peer.reads.wait()
        inbox.put(None)
        script.join(5)

    listener = socket.create_server(("127.0.0.1", port))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)  # so that a client soon notices who does not read
    url = f"{'wss' if 'ssl' in options else 'ws'}://127.0.0.1:{listener.getsockname()[1]}"
    with serve(handle, sock=listener, compression=None, max_size=None, **options) as listening:
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        try:
            yield url
        finally:
            for peer in connections:
                peer.reads.set()
                peer.connection.close_socket()
            listening.shutdown()
            thread.join()
