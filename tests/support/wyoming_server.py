"""A Wyoming server on a virtual clock: what it does on a connection is a function, and every time is exact.

    server = FakeServer(clock, recogniser("hello", answer_ms=250))
    monkeypatch.setattr(line, "dial", server.dial)

Requests are read with the protocol's own package, and its types refuse fields that they do not know.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

from wyoming.asr import Transcribe, Transcript, TranscriptChunk, TranscriptStart, TranscriptStop
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.event import Event, Eventable, read_event, write_event
from wyoming.handle import Handled, HandledChunk, HandledStart, HandledStop
from wyoming.info import Describe, Info, SelectProgram
from wyoming.intent import Recognize
from wyoming.tts import Synthesize, SynthesizeChunk, SynthesizeStart, SynthesizeStop, SynthesizeStopped

from firstpacket.bench.timing.cancellation import Cancellation
from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.pipelines.remote.wyoming.address import Address
from firstpacket.pipelines.remote.wyoming.transport import Arrival, Closed

MS = 1_000_000
REQUESTS: dict[str, type[Eventable]] = {
    "transcribe": Transcribe,
    "audio-start": AudioStart,
    "audio-chunk": AudioChunk,
    "audio-stop": AudioStop,
    "describe": Describe,
    "select-program": SelectProgram,
    "recognize": Recognize,
    "transcript": Transcript,
    "synthesize": Synthesize,
    "synthesize-start": SynthesizeStart,
    "synthesize-chunk": SynthesizeChunk,
    "synthesize-stop": SynthesizeStop,
}
NAME = {"name": "somebody", "url": "https://example.org"}


class FakeTransport:
    """The client's end."""

    def __init__(self, clock: VirtualClock, write_ms: float = 0) -> None:
        self.clock = clock
        self.arrivals = clock.inbox()
        self.sent = clock.inbox()
        self.broken = ""
        self.waiting = 0
        self.write_ms = write_ms

    def write(self, data: bytes) -> None:
        if self.broken:
            raise ConnectionResetError(104, self.broken)
        self.clock.advance(round(self.write_ms * MS))
        self.sent.put(data)

    def took(self, count: int) -> None:
        self.waiting -= count

    def close(self) -> None:
        self.sent.put(None)
        self.end("it closed the connection")

    def end(self, reason: str) -> None:
        self.arrivals.put(Closed(reason, self.clock.now_ns()))


class Peer:
    """The server's end of one connection."""

    def __init__(self, transport: FakeTransport, number: int) -> None:
        self.transport = transport
        self.number = number
        """How many connections there were before."""
        self.received: list[tuple[int, Event]] = []

    def read(self) -> Event | None:
        """The next request, judged by the package's types; None when the client has left."""
        data = self.transport.sent.get()
        if data is None:
            return None
        stream = io.BytesIO(data)
        event = read_event(stream)
        assert event is not None and not stream.read(), "one event per write, and nothing behind it"
        again = REQUESTS[event.type].from_event(event).event()
        assert event.data.keys() <= again.data.keys(), f"{event.type}: fields that it has not"
        assert all(again.data[name] == value for name, value in event.data.items())
        self.received.append((self.transport.clock.now_ns(), event))
        return event

    def until(self, kind: str) -> bool:
        """Read up to an event of this type; False if the client left before."""
        while (event := self.read()) is not None:
            if event.type == kind:
                return True
        return False

    def after(self, ms: float) -> Peer:
        self.transport.clock.advance(round(ms * MS))
        return self

    def send(self, *events: Eventable | Event) -> Peer:
        for event in events:
            stream = io.BytesIO()
            write_event(event if isinstance(event, Event) else event.event(), stream)
            self.raw(stream.getvalue())
        return self

    def raw(self, data: bytes) -> Peer:
        self.transport.waiting += len(data)
        self.transport.arrivals.put(Arrival(data, self.transport.clock.now_ns()))
        return self

    def hang_up(self, reason: str = "it closed the connection") -> None:
        self.transport.broken = "Connection reset by peer"
        self.transport.end(reason)


Behaviour = Callable[[Peer], None]


class FakeServer:
    """Accepts connections after `connect_ms`, each served by `behave` in a thread of its own."""

    def __init__(self, clock: VirtualClock, behave: Behaviour, connect_ms: float = 1) -> None:
        self.clock = clock
        self.behave = behave
        self.connect_ms = connect_ms
        self.refuses = False
        self.write_ms = 0.0
        """How long a write to it takes."""
        self.peers: list[Peer] = []

    def dial(self, address: Address, timeout_s: float, cancellation: Cancellation) -> FakeTransport:
        if self.refuses:
            raise ConnectionRefusedError(111, "Connection refused")
        self.clock.advance(round(self.connect_ms * MS))
        peer = Peer(FakeTransport(self.clock, self.write_ms), len(self.peers))
        self.peers.append(peer)
        self.clock.spawn(lambda: self.behave(peer), "server")
        return peer.transport

    @property
    def requests(self) -> list[str]:
        """Types of all events received, in order within each connection."""
        return [event.type for peer in self.peers for _, event in peer.received]


def by_address(**servers: FakeServer) -> Callable[[Address, float, Cancellation], FakeTransport]:
    """Dials the server whose name is the host of the address."""
    return lambda address, timeout_s, cancellation: servers[address.host].dial(address, timeout_s, cancellation)


def program(service: str, models: tuple[str, ...] = ("tiny",), **more: Any) -> dict[str, Any]:
    """A program of this service, as `info` has it."""
    listed = [
        {"name": name, "attribution": NAME, "installed": True, "description": "", "version": "1", "languages": ["en"]}
        for name in models
    ]
    field = "voices" if service == "tts" else "models"
    made = {"name": f"fake-{service}", "attribution": NAME, "installed": True, "description": "", "version": "1.2"}
    return {**made, field: listed, **more}


def info(**programs: Any) -> Event:
    """An event `info`; each value is one program."""
    said = Event("info", {service: [each] for service, each in programs.items()})
    return Info.from_event(said).event()


def requests(peer: Peer, described: Event, first: str) -> Iterator[Event]:
    """Answers `describe`; gives every request of the type that begins one."""
    while (event := peer.read()) is not None:
        if event.type == "describe":
            peer.send(described)
        elif event.type == first:
            yield event


def recogniser(
    text: str = "hello there", answer_ms: float = 250, closes: bool = False, pieces: tuple[str, ...] = (), **more: Any
) -> Behaviour:
    """Answers `audio-stop` after so many ms; `closes` as wyoming-faster-whisper does; `pieces` are sent before, 25 ms
    apart from when the audio begins."""
    described = info(asr=program("asr", supports_transcript_streaming=bool(pieces), **more))

    def behave(peer: Peer) -> None:
        for _ in requests(peer, described, "audio-start"):
            if pieces:
                peer.send(TranscriptStart())
            for piece in pieces:
                peer.after(25).send(TranscriptChunk(piece))
            if not peer.until("audio-stop"):
                return
            peer.after(answer_ms).send(Transcript(text))
            if pieces:
                peer.send(TranscriptStop())
            if closes:
                peer.hang_up()
                return

    return behave


def agent(text: str = "It is noon.", answer_ms: float = 100, pieces: tuple[str, ...] = ()) -> Behaviour:
    """Handles a transcript: whole after so many ms, or in pieces so far apart, and then whole."""
    described = info(handle=program("handle", supports_handled_streaming=bool(pieces)))

    def behave(peer: Peer) -> None:
        for _ in requests(peer, described, "transcript"):
            if not pieces:
                peer.after(answer_ms).send(Handled(text))
                continue
            peer.send(HandledStart())
            for piece in pieces:
                peer.after(answer_ms).send(HandledChunk(piece))
            peer.send(Handled("".join(pieces)), HandledStop())

    return behave


def sound(ms: int, rate: int = 16_000) -> list[Eventable]:
    """A loud reply in chunks of 10 ms, between its start and its end."""
    chunk = AudioChunk(rate, 2, 1, b"\x00\x20" * (rate // 100))
    return [AudioStart(rate, 2, 1), *[chunk] * (ms // 10), AudioStop()]


def voice(answer_ms: float = 50, sentences: int = 1, streams: bool = False) -> Behaviour:
    """Speaks 30 ms after so many ms, and as much again for every further sentence if it takes text in parts."""
    described = info(tts=program("tts", supports_synthesize_streaming=streams))

    def behave(peer: Peer) -> None:
        for _ in requests(peer, described, "synthesize-stop" if streams else "synthesize"):
            for _ in range(sentences if streams else 1):
                peer.after(answer_ms).send(*sound(30))
            if streams:
                peer.send(SynthesizeStopped())

    return behave
