"""An answer as it arrives: parts of its body, each with the time at which it was read, or server-sent events."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import httpcore2

from firstpacket.pipelines.remote.credentials import Secrets
from firstpacket.pipelines.remote.http.connection import StampedStream
from firstpacket.pipelines.remote.http.events import LONGEST, Event, EventParser
from firstpacket.pipelines.remote.http.recording import Recording
from firstpacket.pipelines.remote.problems import ServerError, body_text, error_text, is_error

MOST = 1 << 26
"""Bytes of a body: 23 minutes of speech at 24 kHz."""
MOST_OF_A_DOCUMENT = 1 << 16
"""Bytes read of a body that is not a stream."""
BROKEN = (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError, OSError)
"""What a connection may raise in the middle of an answer."""
SHOWN_HEADERS = ("content-type", "content-length", "transfer-encoding", "connection", "server", "via", "x-request-id")
LONGEST_HEADER = 200
"""Characters recorded of one of these."""
TIMED_HEADERS = ("server-timing", "openai-processing-ms", "x-envoy-upstream-service-time")
"""What servers say of their own time."""


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of a body that arrived together, and when they were read."""

    data: bytes
    at_ns: int


class Answer:
    """An answer whose head is there. Everything in it was written by somebody else."""

    def __init__(
        self, response: httpcore2.Response, stream: StampedStream, recording: Recording, secrets: Secrets
    ) -> None:
        self.status = response.status
        self.headers = {
            name.decode("latin-1").lower(): secrets.hidden(value.decode("latin-1")) for name, value in response.headers
        }
        self.at_ns = stream.read_ns
        """When its head was read."""
        self.written_ns = stream.written_ns
        """When the request's last byte was written."""
        self._response = response
        self._stream = stream
        self._recording = recording
        self._secrets = secrets
        self._parts = self._arriving()
        shown = {
            name: self.headers[name][:LONGEST_HEADER] for name in SHOWN_HEADERS + TIMED_HEADERS if name in self.headers
        }
        recording.head(self.at_ns, self.status, shown)

    @property
    def content_type(self) -> str:
        """The media type, without parameters; what follows need not be that."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def parts(self) -> Iterator[Part]:
        """Parts of the body; what was read of it before is not repeated. Raises `ServerError` for one without end."""
        return self._parts

    def text(self, most: int = MOST_OF_A_DOCUMENT, begin: bytes = b"") -> str:
        """The beginning of the body as text, after bytes that were read of it."""
        body = bytearray(begin)
        for part in self._parts:
            self._recording.part(part.at_ns, len(part.data), "text")
            body += part.data
            if len(body) >= most:
                break
        return self._secrets.hidden(body[:most].decode("utf-8-sig", "replace"))

    def events(self, longest: int = LONGEST) -> Iterator[Event]:
        """The events, of at most so many bytes each. Raises `ServerError` for an answer that has none.

        Its content type is not relied on: events come under any, and so do documents.
        """
        begin = self.begin()
        if looks_like_document(begin.data):
            self._recording.part(begin.at_ns, len(begin.data), "text")
            raise not_a_stream(self.text(begin=begin.data))
        return self.events_from(begin, longest)

    def events_from(self, begin: Part, longest: int = LONGEST) -> Iterator[Event]:
        """The events, of which the first bytes were read."""
        parser, none_yet = EventParser(longest), True
        for event in self._stamped(parser, begin):
            none_yet = False
            event = replace(event, data=self._secrets.hidden(event.data))
            self._recording.event(event)
            yield event
        if none_yet and begin.data:
            text = self._secrets.hidden(begin.data.decode("utf-8", "replace"))
            raise ServerError(f"its answer contains no server-sent events: {body_text(text)}")

    def begin(self) -> Part:
        """The first part that has more than white space; an empty one if there is none."""
        return next((part for part in self._parts if part.data.strip()), Part(b"", self.at_ns))

    def first(self, least: int) -> Part:
        """At least so many of the first bytes, if there are as many; its time is that of the last of them."""
        data, at_ns = b"", self.at_ns
        for part in self._parts:
            data, at_ns = data + part.data, part.at_ns
            if len(data) >= least:
                break
        return Part(data, at_ns)

    def note_part(self, part: Part, type: str, audio_bytes: int = 0) -> None:
        """Record a part that was read."""
        self._recording.part(part.at_ns, len(part.data), type, audio_bytes)

    def finish(self, patience_s: float) -> None:
        """Read what is left, if it ends soon; else leave it, which closes the connection."""
        self._stream.patience_s = patience_s
        left = 0
        with suppress(*BROKEN, ServerError):
            for part in self._parts:
                left += len(part.data)
                if left > MOST_OF_A_DOCUMENT:
                    break
        self._stream.patience_s = None
        self._response.close()

    def _arriving(self) -> Iterator[Part]:
        total, expanded = 0, _expander(self.headers.get("content-encoding", "identity").lower())
        for data in self._response.iter_stream():
            at_ns, data = self._stream.read_ns, expanded(data)
            total += len(data)
            if total > MOST:
                raise ServerError(f"its answer is longer than {MOST:,} bytes")
            yield Part(data, at_ns)

    def _stamped(self, parser: EventParser, begin: Part) -> Iterator[Event]:
        at_ns = begin.at_ns
        for event in parser.feed(begin.data):
            yield replace(event, at_ns=at_ns)
        for part in self._parts:
            at_ns = part.at_ns
            for event in parser.feed(part.data):
                yield replace(event, at_ns=at_ns)
        for event in parser.end():
            yield replace(event, at_ns=at_ns)


def _expander(encoding: str) -> Callable[[bytes], bytes]:
    """What undoes a compression that nobody asked for, as some proxies apply it. Raises `ServerError` for others."""
    if encoding in ("", "identity"):
        return lambda data: data
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise ServerError(f"it compresses its answer ({encoding}), though it was asked not to")
    expanding = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # gzip or zlib, by its first bytes

    def expanded(data: bytes) -> bytes:
        try:
            return expanding.decompress(data, MOST + 1)
        except zlib.error as error:
            raise ServerError(f"its answer cannot be decompressed: {error}") from error

    return expanded


def looks_like_document(begin: bytes) -> bool:
    """Whether a body is JSON or a page, not events."""
    return begin.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"{", b"[", b"<")


def not_a_stream(body: str) -> ServerError:
    """A document, where a stream was asked for, as a reason."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return ServerError(f"it answered with a document instead of a stream: {body_text(body)}")
    if isinstance(payload, dict) and payload.get("choices") and not is_error(payload):
        return ServerError("it sent the whole reply at once, as one JSON object, instead of a stream")
    return ServerError(f"it answered with an error instead of a stream: {error_text(payload)}")
