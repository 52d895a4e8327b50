"""One turn with a Realtime server, by the shortest client there can be, and its recording as JSON lines.

A line is one message: `at_ns` since the connection was open, `from` client or server, its size, and the event with its
audio taken out (`audio_bytes` says how much it was).
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from websockets.sync.client import connect

FRAME_MS = 20
SILENCE_MS = 500
ANSWERED_WITHIN_S = 60.0
AUDIO = {"input_audio_buffer.append": "audio", "response.output_audio.delta": "delta"}
"""Where in an event its audio is."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `audio` is what its event had of it, as 16-bit samples."""

    at_ns: int
    sender: str
    size: int
    event: dict[str, Any]
    audio: bytes | None

    @property
    def kind(self) -> str:
        kind: str = self.event["type"]
        return kind

    def line(self) -> str:
        audio = {} if self.audio is None else {"audio_bytes": len(self.audio)}
        return json.dumps({"at_ns": self.at_ns, "from": self.sender, "bytes": self.size, **audio, "event": self.event})


@dataclass(slots=True)
class Turn:
    """What was sent and received, in order."""

    messages: list[Message] = field(default_factory=list)
    _begin_ns: int = field(default_factory=time.monotonic_ns)

    def add(self, sender: str, text: str) -> Message:
        at_ns = time.monotonic_ns() - self._begin_ns
        event = json.loads(text)
        place = AUDIO.get(event["type"])
        audio = None if place is None else base64.b64decode(event.pop(place))
        self.messages.append(Message(at_ns, sender, len(text.encode()), event, audio))
        return self.messages[-1]

    def received(self, kind: str | None = None) -> list[Message]:
        """The server's messages, all or of one type."""
        return [each for each in self.messages if each.sender == "server" and kind in (None, each.kind)]

    def write(self, path: Path) -> None:
        path.write_text("".join(f"{message.line()}\n" for message in self.messages), "utf-8")


def play(url: str, clip: npt.NDArray[np.int16], rate: int) -> Turn:
    """Play a clip in real time, then silence until the server has answered. Raises `TimeoutError`."""
    with connect(url, compression=None, max_size=None) as line:
        turn = Turn()

        def send(event: dict[str, Any]) -> None:
            text = json.dumps(event)
            line.send(text)
            turn.add("client", text)

        turn.add("server", line.recv(ANSWERED_WITHIN_S, decode=True))
        send({"type": "session.update", "session": _session(rate)})
        begin_s = time.monotonic()
        for number, frame in enumerate(_frames(clip, rate)):
            while (left_s := begin_s + number * FRAME_MS / 1000 - time.monotonic()) > 0:
                try:
                    message = turn.add("server", line.recv(left_s, decode=True))
                except TimeoutError:
                    break
                if message.kind == "response.done":
                    return turn
            send({"type": "input_audio_buffer.append", "audio": base64.b64encode(frame).decode()})
    raise TimeoutError(f"no answer; received {[each.kind for each in turn.received()]}")


def _session(rate: int) -> dict[str, Any]:
    vad = {"type": "server_vad", "silence_duration_ms": SILENCE_MS}
    heard = {"format": {"type": "audio/pcm", "rate": rate}, "turn_detection": vad}
    return {"type": "realtime", "audio": {"input": heard, "output": {"format": {"type": "audio/pcm", "rate": rate}}}}


def _frames(clip: npt.NDArray[np.int16], rate: int) -> Iterator[bytes]:
    """The clip, and silence for as long as an answer may take."""
    size = rate * FRAME_MS // 1000
    silence = np.zeros(round(ANSWERED_WITHIN_S * rate), np.int16)
    whole = np.concatenate([clip, silence])
    for begin in range(0, len(whole) - size, size):
        yield whole[begin : begin + size].tobytes()
