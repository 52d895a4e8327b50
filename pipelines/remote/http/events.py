"""Server-sent events, from bytes as they arrive (https://html.spec.whatwg.org/multipage/server-sent-events.html).

An event is given as soon as the line that ends it is there, whichever of the three line ends it has and wherever the
bytes were split. More lenient than the standard in two places: an event that the end of the stream cuts short counts,
and a line that is a JSON object is an event of its own, as some servers write errors like this.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from firstpacket.pipelines.remote.problems import ServerError

LONGEST = 1 << 20
"""Bytes of one event, unless another limit is given."""
BOM = "\ufeff"
_LINE_END = re.compile(rb"\r\n?|\n")


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its data (never blank), and its name, which most servers leave out."""

    data: str
    name: str = ""
    at_ns: int = field(default=0, compare=False)
    """When the bytes that completed it were read."""


class EventParser:
    """Parses one stream. Raises `ServerError` for an event that is too long."""

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._rest = bytearray()
        self._after_cr = False
        self._first_line = True
        self._name = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, raw: bytes) -> Iterator[Event]:
        """The events that these bytes complete."""
        if not raw:
            return
        if self._after_cr:
            raw = raw.removeprefix(b"\n")
        self._after_cr = raw.endswith(b"\r")
        first, *others = _LINE_END.split(raw)
        self._rest += first
        self._check()
        for following in others:
            line, self._rest = bytes(self._rest), bytearray(following)
            yield from self._line(line)
            self._check()

    def end(self) -> Iterator[Event]:
        """The event that the stream's end completes, if any."""
        if self._rest:
            yield from self._line(bytes(self._rest))
        yield from self._line(b"")

    def _line(self, raw: bytes) -> Iterator[Event]:
        line = raw.decode("utf-8", "replace")
        if self._first_line:
            line, self._first_line = line.removeprefix(BOM), False
        if not line:
            yield from self._event()
        elif line.startswith("{"):
            yield Event(line)
        else:
            self._field(line)

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._size += len(value)
            self._data.append(value)
        elif name == "event":
            self._name = value

    def _event(self) -> Iterator[Event]:
        data, name = "\n".join(self._data), self._name
        self._name, self._data, self._size = "", [], 0
        if data.strip():
            yield Event(data, name)

    def _check(self) -> None:
        if self._size + len(self._rest) > self._longest:
            raise ServerError(f"an event of its stream is longer than {self._longest} bytes")
