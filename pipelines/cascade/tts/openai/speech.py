"""The answer to a request for speech → its samples as they arrive: a body of audio, or events with audio in base64."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from firstpacket.bench.pipeline import Samples
from firstpacket.pipelines.remote.http.answer import Answer, Part
from firstpacket.pipelines.remote.http.events import Event
from firstpacket.pipelines.remote.http.sound import BEGIN, SoundStream
from firstpacket.pipelines.remote.problems import ServerError, body_text, error_text, is_error

LONGEST_EVENT = 1 << 25
"""Bytes: a whole phrase may be in one event."""
DONE = "[DONE]"
EVENTS = (b"data:", b"event:", b": ")
TEXTS = ("application/json", "application/problem+json", "text/html", "text/plain")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Samples, their rate, and when the last of them was read."""

    samples: Samples
    rate: int
    at_ns: int


@dataclass(slots=True)
class AudioInfo:
    """What an answer turned out to be."""

    format: str = ""
    """`pcm` or `wav`."""
    events: bool = False
    rate: int = 0
    samples: int = 0


def chunks(answer: Answer, rate: int, info: AudioInfo | None = None) -> Iterator[Chunk]:
    """The samples as they arrive; `rate` is that of audio without a header. What it was goes to `spoken`.

    Raises `ServerError` for an answer that is no audio, or has none: a status of 200 or a header alone is not audio.
    """
    info = info or AudioInfo()
    begin = answer.first(BEGIN)
    info.events = answer.content_type == "text/event-stream" or begin.data.startswith(EVENTS)
    if not info.events and _is_text(begin.data, answer.content_type):
        answer.note_part(begin, "text")
        raise ServerError(f"it answered with text instead of audio: {body_text(answer.text(begin=begin.data))}")
    sound = SoundStream(rate, "" if info.events else answer.content_type)
    at_ns = begin.at_ns
    for part in _from_events(answer, begin) if info.events else _from_body(answer, begin):
        at_ns = part.at_ns
        samples = sound.feed(part.data)
        info.format, info.rate, info.samples = sound.format, sound.rate, sound.samples
        if len(samples):
            yield Chunk(samples, sound.rate, at_ns)
    rest = sound.end()
    info.format, info.rate, info.samples = sound.format, sound.rate, sound.samples
    if len(rest):
        yield Chunk(rest, sound.rate, at_ns)


def _from_body(answer: Answer, begin: Part) -> Iterator[Part]:
    for part in chain([begin], answer.parts()):
        answer.note_part(part, "audio", len(part.data))
        yield part


def _from_events(answer: Answer, begin: Part) -> Iterator[Part]:
    """Bytes of audio. Raises `ServerError` for a stream that breaks off, and for an error in it."""
    for event in answer.events_from(begin, LONGEST_EVENT):
        if event.data.strip() == DONE:
            return
        payload = _parsed(event)
        kind = str(payload.get("type", event.name))
        if kind.endswith("done"):
            return
        audio = next((payload[name] for name in ("audio", "delta", "data") if isinstance(payload.get(name), str)), "")
        if audio and (kind.endswith("delta") or kind in ("", "message")):
            yield Part(_decoded(audio), event.at_ns)
    raise ServerError("its stream broke off before the audio was complete")


def _parsed(event: Event) -> dict[str, Any]:
    try:
        payload = json.loads(event.data)
    except (ValueError, RecursionError):
        payload = None
    if event.name == "error" or (
        isinstance(payload, dict) and (is_error(payload) or str(payload.get("type")).endswith("error"))
    ):
        raise ServerError(
            f"it reported an error mid-stream: {error_text(payload if payload is not None else event.data)}"
        )
    if not isinstance(payload, dict):
        raise ServerError(f"an event of its stream is not a JSON object: {event.data[:100]}")
    return payload


def _decoded(audio: str) -> bytes:
    try:
        return base64.b64decode(audio, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ServerError("an event's audio is not base64") from error


def _is_text(begin: bytes, content_type: str) -> bool:
    """Whether a body is a message: bytes of audio can begin like one, so all of the first ones must be printable."""
    printable = all(32 <= byte < 127 or byte in b"\r\n\t" for byte in begin[:64])
    return bool(begin) and printable and (content_type in TEXTS or begin.lstrip()[:1] in (b"{", b"[", b"<"))
