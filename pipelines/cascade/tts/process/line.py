"""What a voice's process and its parent say to each other, on a socket of their own.

    parent → voice   load · speak · next · stop
    voice → parent   ready · refused · chunk · done · failed

A frame is a header of 9 bytes (kind, length of the fields, length of the samples; big endian), the fields as JSON, and
the samples as they lie in memory. The voice answers `load` and every `next` with one frame, and nothing else.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from firstpacket.bench.codec import DecodeError, decode, encode
from firstpacket.bench.pipeline import OptionValue, Samples, Weights

_HEADER = struct.Struct("!BII")
LONGEST = 256 * 1024 * 1024
"""More bytes than this are rubbish, not a chunk."""
SILENCE: Samples = np.zeros(0, np.float32)


@dataclass(frozen=True, slots=True)
class Load:
    """Make this engine, and load it."""

    engine: str
    device: str
    dtype: str
    seed: int
    options: Mapping[str, OptionValue]


@dataclass(frozen=True, slots=True)
class Speak:
    """Begin a phrase."""

    text: str


@dataclass(frozen=True, slots=True)
class Next:
    """Give the phrase's next chunk."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Leave the phrase; no answer."""


@dataclass(frozen=True, slots=True)
class Ready:
    """Loaded; what the engine says of itself."""

    weights: tuple[Weights, ...]
    facts: Mapping[str, OptionValue]


@dataclass(frozen=True, slots=True)
class Refused:
    """Not loaded; `kind` is the class in `firstpacket.bench.errors`."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """The samples that follow have this rate in Hz; when the engine worked on them."""

    rate: int
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Done:
    """The phrase has ended, and when the engine worked to find out."""

    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The engine raised something while speaking."""

    message: str


Message = Load | Speak | Next | Stop | Ready | Refused | Chunk | Done | Failed
_KINDS: tuple[type[Message], ...] = (Load, Speak, Next, Stop, Ready, Refused, Chunk, Done, Failed)


class Closed(Exception):
    """The other side has gone, or speaks rubbish."""


class Line:
    """One end of the socket; used by one thread at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection

    def send(self, message: Message, samples: Samples = SILENCE) -> None:
        """Send one message, with samples `(n,)` if it carries any. Raises `Closed`."""
        fields = json.dumps(encode(message)).encode()
        sound = np.ascontiguousarray(samples, np.float32).tobytes()
        header = _HEADER.pack(_KINDS.index(type(message)), len(fields), len(sound))
        try:
            self._socket.sendall(header + fields + sound)
        except OSError as error:
            raise Closed from error

    def receive(self) -> tuple[Message, Samples]:
        """The next message and its samples. Raises `Closed`."""
        kind, fields, sound = _HEADER.unpack(self._exactly(_HEADER.size))
        try:
            if fields + sound > LONGEST:
                raise ValueError("it is too long")
            message = decode(_KINDS[kind], json.loads(self._exactly(fields)))
            return message, np.frombuffer(self._exactly(sound), np.float32)
        except (ValueError, IndexError, RecursionError, DecodeError) as error:
            raise Closed(f"it sent something that is no message ({error})") from error

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _exactly(self, count: int) -> bytearray:
        content = bytearray(count)
        view, filled = memoryview(content), 0
        while filled < count:
            try:
                got = self._socket.recv_into(view[filled:])
            except OSError as error:
                raise Closed from error
            if not got:
                raise Closed
            filled += got
        return content
