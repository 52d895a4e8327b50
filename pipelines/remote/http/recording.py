"""The messages of one exchange, for the trace: noted while they come, and written out when it is over.

Of their bodies only texts are kept, without audio, secrets, and what is too long.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from firstpacket.bench.sanitize import clean
from firstpacket.bench.timing.spans import Message
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.remote.credentials import Secrets
from firstpacket.pipelines.remote.http.events import Event

MOST = 1000
"""Messages recorded of one exchange."""
LONGEST = 4000
"""Characters recorded of one message."""
LONGEST_TEXT = 1000
"""Characters of a text within a message; audio in base64 is longer."""
HEAD = "HTTP"
"""Type of the message that is the head of a response, with its status."""
AUDIO_FIELDS = ("data", "audio", "url")


@dataclass(frozen=True, slots=True)
class _Received:
    at_ns: int
    bytes: int
    type: str
    body: str
    audio_bytes: int


class Recording:
    """Records one exchange in a trace."""

    def __init__(self, trace: Trace, secrets: Secrets) -> None:
        self._trace = trace
        self._secrets = secrets
        self._sent: Callable[[], Message] | None = None
        self._received: list[_Received] = []
        self._dropped = self._dropped_bytes = self._last_ns = 0

    def sent(self, message: Callable[[], Message]) -> None:
        """Note the request; its message is made when all is over."""
        self._sent = message

    def head(self, at_ns: int, status: int, headers: dict[str, str]) -> None:
        """Note the head of a response."""
        self._note(_Received(at_ns, 0, f"{HEAD} {status}", json.dumps(headers), 0))

    def event(self, event: Event) -> None:
        """Note a server-sent event."""
        self._note(_Received(event.at_ns, len(event.data), event.name, event.data, 0))

    def part(self, at_ns: int, size: int, type: str, audio_bytes: int = 0) -> None:
        """Note a part of a body that is not a stream of events."""
        self._note(_Received(at_ns, size, type, "", audio_bytes))

    def finish(self) -> None:
        """Write down all that was noted."""
        if self._sent is not None:
            self._trace.message(self._sent())
        for each in self._received:
            self._trace.message(self._message(each))
        if self._dropped:
            more = f"{self._dropped} more messages, which were not recorded"
            self._trace.message(Message(False, more, self._last_ns, self._dropped_bytes))
        self._received, self._dropped, self._sent = [], 0, None

    def _note(self, received: _Received) -> None:
        if len(self._received) < MOST:
            self._received.append(received)
            return
        self._dropped, self._last_ns = self._dropped + 1, received.at_ns
        self._dropped_bytes += received.bytes

    def _message(self, received: _Received) -> Message:
        payload, type = parsed(received.body), received.type
        if isinstance(payload, dict) and not type:
            type = next((str(payload[name]) for name in ("type", "object") if payload.get(name)), "")
        return Message(
            False,
            self._shown(type or "data", 100),
            received.at_ns,
            received.bytes,
            audio_bytes=received.audio_bytes or audio_bytes(payload),
            body=self._shown(received.body if payload is None else without_audio(payload), LONGEST),
        )

    def _shown(self, text: str, most: int) -> str:
        text = clean(self._secrets.hidden(text))
        return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


def came_at_once(messages: Sequence[Message]) -> bool:
    """Whether all that followed a response's head came together, so that nothing was streamed as far as can be seen.

    That is: a server that states the length in the head had all of it, and otherwise it came in less than a twentieth
    of the time for which its beginning was waited for.
    """
    heads = [parsed(message.body) for message in messages if message.type.startswith(HEAD)]
    if any(isinstance(head, dict) and "content-length" in head for head in heads):
        return True
    asked_ns = max((message.done_ns for message in messages if message.sent), default=0)
    times = [message.at_ns for message in messages if not message.sent and message.bytes]
    return not times or 20 * (max(times) - min(times)) < min(times) - asked_ns


def parsed(text: str) -> Any:
    """Text as JSON, if it is an object or a list of it; else None."""
    if not text.startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def without_audio(payload: Any) -> str:
    """JSON in which audio is its length."""
    try:
        return json.dumps(_stripped(payload), ensure_ascii=False)
    except RecursionError:
        return "(nested too deeply to be recorded)"


def _stripped(payload: Any, name: str = "") -> Any:
    if isinstance(payload, dict):
        return {key: _stripped(value, key) for key, value in payload.items()}
    if isinstance(payload, list):
        return [_stripped(each, name) for each in payload]
    if isinstance(payload, str) and (len(payload) > LONGEST_TEXT or _is_audio(payload, name)):
        return f"({len(payload):,} characters)"
    return payload


def audio_bytes(payload: Any, name: str = "") -> int:
    """Bytes of the audio in JSON, which is in base64."""
    if isinstance(payload, dict):
        return sum(audio_bytes(value, key) for key, value in payload.items())
    if isinstance(payload, list):
        return sum(audio_bytes(each, name) for each in payload)
    return (
        len(payload) * 3 // 4 - payload.count("=", -2) if isinstance(payload, str) and _is_audio(payload, name) else 0
    )


def _is_audio(text: str, name: str) -> bool:
    return bool(text) and name in AUDIO_FIELDS and not text.startswith(("http://", "https://"))
