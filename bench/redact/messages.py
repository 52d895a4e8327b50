"""Messages exchanged with a server, without what was said in them: times, sizes, types, numbers and ids stay."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from firstpacket.bench.redact.texts import PLACEHOLDER, without_words
from firstpacket.bench.timing.spans import Message

KEPT = frozenset(
    {"type", "object", "id", "status", "reason", "code", "param", "model", "voice", "role", "phase", "finish_reason"}
)
"""Fields whose texts are names of the protocol, not of what was said; those that end in `_id` are kept, too."""


def redacted_message(message: Message) -> Message:
    """The message with placeholders for the words in its body; a body that is no JSON is one placeholder."""
    if not message.body:
        return message
    try:
        body = json.dumps(_redacted(json.loads(message.body)))
    except (ValueError, RecursionError):
        body = PLACEHOLDER
    return replace(message, body=body)


def _redacted(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _redacted(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_redacted(each, name) for each in value]
    if not isinstance(value, str) or name in KEPT or name.endswith("_id"):
        return value
    return _redacted_text(value)


def _redacted_text(text: str) -> str:
    """JSON within a text, as some servers write their figures, keeps its numbers."""
    if text[:1] in ("{", "["):
        try:
            return json.dumps(_redacted(json.loads(text)))
        except ValueError:
            pass
    return without_words(text)
