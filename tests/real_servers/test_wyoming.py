"""Home Assistant's recogniser and voice answer, over a plain socket."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import pytest
from real_servers.clip import is_recognised, samples
from real_servers.process import HOST, Server
from real_servers.wyoming import VOICE

pytestmark = pytest.mark.real_server
FORMAT = {"rate": 16_000, "width": 2, "channels": 1}


@dataclass(frozen=True)
class Event:
    kind: str
    data: dict[str, Any]
    payload: bytes


@dataclass(frozen=True)
class Connection:
    """Sends and reads events: a line of JSON, more JSON, and a payload."""

    line: socket.socket
    reader: BinaryIO

    def send(self, kind: str, payload: bytes = b"", **data: Any) -> None:
        head = {"type": kind, "data": data, "payload_length": len(payload)}
        self.line.sendall(json.dumps(head).encode() + b"\n" + payload)

    def read(self) -> Event:
        head = json.loads(self.reader.readline())
        more = json.loads(self.reader.read(head.get("data_length") or 0) or b"{}")
        payload = self.reader.read(head.get("payload_length") or 0)
        return Event(head["type"], {**head.get("data", {}), **more}, payload)


@contextmanager
def connected(server: Server) -> Iterator[Connection]:
    with socket.create_connection((HOST, server.port), timeout=60) as line, line.makefile("rb") as reader:
        yield Connection(line, reader)


def described(server: Server, service: str) -> dict[str, Any]:
    with connected(server) as connection:
        connection.send("describe")
        info = connection.read()
    assert info.kind == "info"
    (program,) = info.data[service]
    return dict(program)


def test_the_servers_describe_themselves(faster_whisper: Server, piper: Server) -> None:
    asr, tts = described(faster_whisper, "asr"), described(piper, "tts")
    assert asr["version"] == "3.8.1" and not asr["supports_transcript_streaming"] and asr["requires_external_vad"]
    assert tts["version"] == "2.5.2" and tts["supports_synthesize_streaming"]
    assert VOICE in [voice["name"] for voice in tts["voices"]]


def test_the_recogniser_understands_a_clip(faster_whisper: Server) -> None:
    with connected(faster_whisper) as connection:
        connection.send("transcribe", language="en")
        connection.send("audio-start", **FORMAT)
        connection.send("audio-chunk", samples().tobytes(), **FORMAT)
        connection.send("audio-stop")
        event = connection.read()
        assert event.kind == "transcript" and is_recognised(event.data["text"])
        assert connection.line.recv(1) == b"", "it closes the connection after one transcript"


def test_the_voice_speaks(piper: Server) -> None:
    with connected(piper) as connection:
        connection.send("synthesize", text="The capital of France is Paris.")
        events = [connection.read()]
        while events[-1].kind != "audio-stop":
            events.append(connection.read())
    assert [event.kind for event in events[:2]] == ["audio-start", "audio-chunk"]
    assert events[0].data["rate"] == 22050 and events[0].data["width"] == 2
    sound = np.frombuffer(b"".join(event.payload for event in events), np.int16)
    assert 1.0 < len(sound) / 22050 < 4.0 and np.abs(sound).max() > 8000
