"""A server's message, parsed into what the protocol needs. Nothing in it is trusted."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from firstpacket.bench.pipeline import TurnEnded
from firstpacket.bench.sanitize import clean
from firstpacket.pipelines.remote.realtime.dialect import Dialect

LONGEST_BODY = 64_000
"""Characters of a message's body that are kept."""


@dataclass(frozen=True, slots=True)
class Event:
    """One message of the server."""

    name: str
    """OpenAI's current name for it, whatever the dialect calls it."""
    type: str
    """As the server calls it."""
    body: dict[str, Any]
    """Its JSON, without the audio."""
    audio: bytes = b""
    rate: int = 0
    """Hz that the message states for its audio; 0 if it states none."""

    @property
    def id(self) -> str:
        """The id that groups it with other messages: its response's, else its item's."""
        response = self.body.get("response")
        own = response.get("id") if isinstance(response, dict) else None
        return next((text(each) for each in (own, *map(self.body.get, ("response_id", "item_id"))) if each), "")

    @property
    def recorded_body(self) -> str:
        """The body as it is recorded."""
        try:
            body = clean(json.dumps(self.body, ensure_ascii=False))
        except RecursionError:
            return json.dumps({"type": self.type, "too deep": True})
        return body if len(body) <= LONGEST_BODY else json.dumps({"type": self.type, "too long": len(body)})


def parse(raw: str | bytes, dialect: Dialect, hidden: Callable[[str], str] = str) -> Event:
    """Parse a message; `hidden` removes the key. Raises `TurnEnded` if it is not one of the protocol."""
    if isinstance(raw, bytes):
        raise TurnEnded("failed", f"the server sent {len(raw)} binary bytes where the protocol has JSON")
    raw = hidden(raw)
    try:
        body = json.loads(raw)
        if "\\" in raw:
            body = _hidden_within(body, hidden)  # JSON can write a secret in many ways
    except (ValueError, RecursionError) as error:
        raise TurnEnded("failed", f"the server sent something that is not JSON: {_excerpt(raw)}") from error
    if not isinstance(body, dict) or not isinstance(body.get("type"), str):
        raise TurnEnded("failed", f"the server sent JSON without a type: {_excerpt(raw)}")
    kind = clean(body["type"])[:100]
    name = dialect.canonical(kind)
    audio, rate = b"", 0
    if name == "response.output_audio.delta":
        audio = _audio(body.pop(dialect.audio_field, ""))
        stated = body.get(dialect.rate_field) if dialect.rate_field else None
        rate = stated if isinstance(stated, int) and 4_000 <= stated <= 192_000 else 0
    else:
        _strip_audio(body)
    return Event(name, kind, body, audio, rate)


def text(value: Any) -> str:
    """A text from the server; empty for any other value."""
    # JSON can hold half a character (a lone surrogate), which no file takes.
    return clean(value.encode("utf-8", "replace").decode("utf-8")) if isinstance(value, str) else ""


def _audio(value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise TurnEnded("failed", "the server sent audio that is not base64") from error


def _strip_audio(body: dict[str, Any]) -> None:
    """Remove audio that some servers repeat in their last messages."""
    response = body.get("response")
    items = response.get("output") if isinstance(response, dict) else [body.get("item")]
    for item in items if isinstance(items, list) else []:
        content = item.get("content") if isinstance(item, dict) else None
        for part in content if isinstance(content, list) else []:
            if isinstance(part, dict):
                part.pop("audio", None)
    if isinstance(part := body.get("part"), dict):
        part.pop("audio", None)


def _hidden_within(value: Any, hidden: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return hidden(value)
    if isinstance(value, list):
        return [_hidden_within(each, hidden) for each in value]
    if isinstance(value, dict):
        return {hidden(name): _hidden_within(each, hidden) for name, each in value.items()}
    return value


def _excerpt(raw: str) -> str:
    line = " ".join(clean(raw[:200]).split()) or f"{len(raw)} characters that begin with white space"
    return f"{line[:120]}…" if len(line) > 120 else line
