"""The framing of Wyoming, without I/O: bytes → events, an event → bytes.

    {"type": "audio-chunk", "version": "1.10.2", "data_length": 45, "payload_length": 640}⏎
    {"rate": 16000, "width": 2, "channels": 1}      data_length bytes, merged into the header's own "data"
    <640 bytes of audio>                            payload_length bytes

The package `wyoming` is not used for it: its readers believe any length, answer a broken event and a closed connection
with the same None, and return after parsing, when the time of receipt is gone. Tests judge these bytes by it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from firstpacket.bench.errors import BenchError
from firstpacket.bench.sanitize import clean

VERSION = "1.10.2"
"""Of the package whose protocol this is."""
MOST_OF_A_HEADER = 1 << 20
"""Bytes. Old servers put all their data there, a list of hundreds of voices among it."""
MOST_OF_DATA = 1 << 22
MOST_OF_A_PAYLOAD = 1 << 24
"""Bytes: almost three minutes of speech at 48 kHz, for servers that send a whole reply as one chunk."""
MOST_OF_A_TEXT = 100_000
"""Characters."""
MOST_SHOWN = 300


class WyomingError(BenchError):
    """Raised when a server does not answer as Wyoming says, with a one-line reason."""


@dataclass(frozen=True, slots=True)
class Event:
    """One message: its type, its fields, and its audio."""

    type: str
    data: Mapping[str, Any] = field(default_factory=dict)
    payload: bytes = b""
    size: int = 0
    """Bytes received; 0 for one that was not received."""

    def text(self, name: str = "text") -> str:
        """A field that must be text, without what no voice and no file takes. Raises `WyomingError`."""
        value = self.data.get(name)
        if not isinstance(value, str):
            raise WyomingError(f"its event {self.type} has no {name}")
        if len(value) > MOST_OF_A_TEXT:
            raise WyomingError(f"its event {self.type} has a {name} of more than {MOST_OF_A_TEXT:,} characters")
        return clean(value)

    def optional_text(self, name: str = "text") -> str:
        """The same for a field that may be missing or null: then it is empty. Raises `WyomingError`."""
        return "" if self.data.get(name) is None else self.text(name)


def joined(said: str, piece: str) -> str:
    """A text that comes in pieces. Raises `WyomingError` for one that is too long."""
    if len(said) + len(piece) > MOST_OF_A_TEXT:
        raise WyomingError(f"its text has more than {MOST_OF_A_TEXT:,} characters")
    return said + piece


def encode(event: Event) -> bytes:
    """The event as bytes, laid out as the package `wyoming` does it."""
    data = json.dumps(event.data, ensure_ascii=False).encode() if event.data else b""
    header: dict[str, Any] = {"type": event.type, "version": VERSION}
    if data:
        header["data_length"] = len(data)
    if event.payload:
        header["payload_length"] = len(event.payload)
    return b"".join((json.dumps(header).encode(), b"\n", data, event.payload))


class Decoder:
    """Takes bytes as they come, and gives events; believes no length, and keeps no more than one event."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._header: _Header | None = None

    @property
    def in_the_middle(self) -> bool:
        """Whether an event has begun that is not complete."""
        return bool(self._buffer) or self._header is not None

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that these bytes complete. Raises `WyomingError`; nothing can be read after that."""
        self._buffer += data
        while (event := self._next()) is not None:
            yield event

    def _next(self) -> Event | None:
        if self._header is None:
            self._header = self._read_header()
        header = self._header
        if header is None or len(self._buffer) < header.data_length + header.payload_length:
            return None
        data = dict(header.data)
        if header.data_length:
            data |= _mapping(self._take(header.data_length), f"the data of its event {header.type}")
        payload = self._take(header.payload_length)
        self._header = None
        return Event(header.type, data, payload, header.size + header.data_length + header.payload_length)

    def _read_header(self) -> _Header | None:
        end = self._buffer.find(b"\n", self._searched)
        if max(end, len(self._buffer) if end < 0 else 0) > MOST_OF_A_HEADER:
            raise WyomingError(f"it sent a line of more than {MOST_OF_A_HEADER:,} bytes")
        if end < 0:
            self._searched = len(self._buffer)
            return None
        self._searched = 0
        return _header(self._take(end + 1))

    def _take(self, count: int) -> bytes:
        taken = bytes(memoryview(self._buffer)[:count])
        del self._buffer[:count]
        return taken


@dataclass(frozen=True, slots=True)
class _Header:
    type: str
    data: Mapping[str, Any]
    data_length: int
    payload_length: int
    size: int


def _header(line: bytes) -> _Header:
    said = _mapping(line, "a line that it sent")
    kind, data = said.get("type"), said.get("data") or {}
    if not (isinstance(kind, str) and kind.isprintable() and 0 < len(kind) <= 64):
        raise WyomingError(f"it sent an event without a type: {shown(line)}")
    if not isinstance(data, dict):
        raise WyomingError(f"the data of its event {kind} is not an object: {shown(line)}")
    data_length = _length(said, "data_length", MOST_OF_DATA, kind)
    payload_length = _length(said, "payload_length", MOST_OF_A_PAYLOAD, kind)
    return _Header(kind, data, data_length, payload_length, len(line))


def _length(said: Mapping[str, Any], name: str, most: int, kind: str) -> int:
    value = said.get(name)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise WyomingError(f"the {name} of its event {kind} is not a length: {str(value)[:40]}")
    if value > most:
        raise WyomingError(f"its event {kind} has a {name} of {str(value)[:20]} bytes; at most {most:,} are taken")
    return value


def _mapping(text: bytes, what: str) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise WyomingError(f"{what} is not JSON: {shown(text)}") from error
    if not isinstance(said, dict):
        raise WyomingError(f"{what} is not a JSON object: {shown(text)}")
    return said


def shown(text: bytes | str) -> str:
    """What a server said, in one line of bounded length."""
    if isinstance(text, bytes):
        text = text[: 4 * MOST_SHOWN].decode("utf-8", "replace")
    line = " ".join(clean(text[: 4 * MOST_SHOWN]).split())
    return line if len(line) <= MOST_SHOWN else f"{line[:MOST_SHOWN]}…"
