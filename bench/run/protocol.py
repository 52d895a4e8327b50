"""What manager and worker say to each other: one JSON object per line, on a socket of their own.

    manager → worker   hello · prepare · frame · speech_over · cancel · close
    worker → manager   loaded · refused · prepared · first_packet · result

Whatever belongs to a turn carries its number: a worker ignores what comes for another turn than the one in flight, and
the manager refuses it. `hello` carries the protocol's version; a worker of another version refuses. Standard output and
error of the worker are not part of it: they go to a log, so that whatever a library prints can do no harm.
"""

from __future__ import annotations

import base64
import binascii
import json
import selectors
import socket
import threading
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from firstpacket.bench.codec import DecodeError, decode, encode
from firstpacket.bench.errors import WorkerError
from firstpacket.bench.pipeline import Samples
from firstpacket.bench.record.schema import LabelFacts, System, TurnResult

VERSION = 3
Instrument = Literal["nvtx", "profiler"]
"""What is at work beside the trace: stages as NVTX ranges, or every turn under the GPU's profiler."""
MAX_LINE = 64 * 1024 * 1024
"""A longer line is rubbish, not an answer."""


@dataclass(frozen=True, slots=True)
class Hello:
    """Start: which system. Its stages are left out: the worker declares them itself."""

    version: int
    system: System
    instruments: tuple[Instrument, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepare:
    """Get ready for a turn. With file input the speech comes along and is released by `SpeechOver`."""

    turn: int
    language: str
    speech: str = ""
    keep_audio: str = ""
    """File to write the reply to; empty for none."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of the user's speech, base64 of little-endian float32."""

    turn: int
    samples: str


@dataclass(frozen=True, slots=True)
class SpeechOver:
    """The user has finished speaking; with file input, the whole clip is handed over by this.

    Frames that follow are silence, sent to pipelines that find the end of speech by themselves.
    """

    turn: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Give the turn up."""

    turn: int


@dataclass(frozen=True, slots=True)
class Close:
    """Release everything and end."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The pipeline cannot be loaded, and why, for people."""

    message: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """Ready to hear the turn."""

    turn: int


@dataclass(frozen=True, slots=True)
class FirstPacket:
    """Sent the moment after the first packet was stamped, so that it is known whatever happens next."""

    turn: int
    at_ns: int
    samples: int
    sample_rate: int


MESSAGES: dict[str, type] = {
    "hello": Hello,
    "prepare": Prepare,
    "frame": Frame,
    "speech_over": SpeechOver,
    "cancel": Cancel,
    "close": Close,
    "loaded": LabelFacts,
    "refused": Refused,
    "prepared": Prepared,
    "first_packet": FirstPacket,
    "result": TurnResult,
}
_NAMES = {kind: name for name, kind in MESSAGES.items()}


def pack_samples(samples: Samples) -> str:
    """Samples as text."""
    return base64.b64encode(samples.astype("<f4").tobytes()).decode("ascii")


def unpack_samples(text: str) -> Samples:
    """Text as samples."""
    return np.frombuffer(base64.b64decode(text), dtype="<f4").astype(np.float32)


class Closed(Exception):
    """Raised when the other side has gone."""


class Channel:
    """One end of the line. `send` may be called from any thread, `receive` from one."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._sending = threading.Lock()
        self._buffer = bytearray()
        self._searched = 0
        self._selector = selectors.DefaultSelector()
        self._selector.register(connection, selectors.EVENT_READ)

    def send(self, message: Any) -> None:
        """Send one message. Raises `Closed`, or `WorkerError` when the other side does not take it."""
        body = {_NAMES[type(message)]: encode(message)}
        line = json.dumps(body, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        try:
            with self._sending:
                self._socket.sendall(line)
        except TimeoutError as error:
            raise WorkerError("The worker does not listen: it took nothing for a while.") from error
        except OSError as error:
            raise Closed from error

    def receive(self, timeout_s: float | None = None) -> Any:
        """The next message, or `None` after `timeout_s`. Raises `Closed`, or `WorkerError` for rubbish."""
        while (end := self._buffer.find(b"\n", self._searched)) < 0:
            self._searched = len(self._buffer)
            if self._searched > MAX_LINE:
                raise WorkerError("The worker sent a line without end; its protocol is broken.")
            if not self._selector.select(timeout_s):
                return None
            try:
                content = self._socket.recv(1 << 20)
            except OSError as error:
                raise Closed from error
            if not content:
                raise Closed
            self._buffer += content
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        return _message(line)

    def close(self) -> None:
        """Hang up."""
        self._selector.close()
        self._socket.close()


def _message(line: bytes) -> Any:
    try:
        raw = json.loads(line)
        ((name, body),) = raw.items()
        return decode(MESSAGES[name], body, name)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError, DecodeError, binascii.Error) as error:
        raise WorkerError(f"The other side sent something that is no message: {line[:80]!r} ({error}).") from error
