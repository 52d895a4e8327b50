"""Messages exchanged with a server, without what was said in them: times, sizes, types, numbers and ids stay."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from firstpacket.bench.redact.texts import PLACEHOLDER, without_words
from firstpacket.bench.timing.spans import Message

KEPT = frozenset(
    {
        *("type", "object", "id", "status", "code", "param", "reason", "finish_reason", "phase", "role"),
        *("model", "voice", "format", "output_modalities", "modalities", "eagerness", "delay", "language"),
    }
)
"""Fields whose texts are names of the protocol, not of what was said; those that end in `_id` are kept, too."""


def redacted_message(message: Message) -> Message:
    """The message with placeholders for the words in its body; a body that is no JSON is one placeholder.

    The body of audio that was sent is the pipeline's own word for it, such as `silence`, and stays.
    """
    if not message.body or (message.sent and message.audio_bytes and message.body.isidentifier()):
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
    return redacted_json(value) or without_words(value)


def redacted_json(text: str) -> str:
    """JSON as a text, with placeholders for words: some servers write figures so. Empty if it is none."""
    if text[:1] not in ("{", "["):
        return ""
    try:
        return json.dumps(_redacted(json.loads(text)))
    except (ValueError, RecursionError):
        return ""
