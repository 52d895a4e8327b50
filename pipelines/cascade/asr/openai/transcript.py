"""The answer to a request for a transcription → its text, in the dialects of the servers there are.

json     {"text": "Why is the sky blue?"}                                     without a stream, or where it is ignored
openai   {"type": "transcript.text.delta", "delta": "Why"} … transcript.text.done     OpenAI, speaches
chat     {"object": "transcription.chunk", "choices": [{"delta": {"content": "Why"}}]} … [DONE]     vLLM
words    the bare text, " Why", as an event's data; only the body's end ends it       transformers serve
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from firstpacket.pipelines.remote.http.answer import Answer, looks_like_document
from firstpacket.pipelines.remote.http.chat import DONE, parse
from firstpacket.pipelines.remote.http.events import Event
from firstpacket.pipelines.remote.problems import ServerError, body_text, error_text, is_error, short

LONGEST = 100_000
"""Characters of a transcript."""
MOST_PARTIALS = 500
DELTA, FINAL = "transcript.text.delta", "transcript.text.done"

Partial = Callable[[str, int], None]
"""Takes the text so far, and when its last part was read."""


class Transcript:
    """Reads one answer. `dialect` is `auto`, or what the server is said to speak; afterwards, what it spoke."""

    def __init__(self, dialect: str, partial: Partial) -> None:
        self.dialect = dialect
        self._partial = partial
        self._partials = 0
        self.text = ""
        """So far."""
        self._finished = False

    def read(self, answer: Answer) -> None:
        """Read all of it. Raises `ServerError` for an answer that has none, or breaks off."""
        begin = answer.begin()
        if looks_like_document(begin.data) or answer.content_type == "text/plain":
            answer.note_part(begin, "text")
            self.dialect = "json"
            self.text = _from_document(answer.text(begin=begin.data), answer.content_type)
            return
        if not begin.data and answer.content_type != "text/event-stream":
            raise ServerError("its answer is empty")
        for event in answer.events_from(begin):
            if event.data.strip() == DONE:
                self._finished = True
            else:
                self._take(event)
            if self._finished and self.dialect != "words":
                break
        if not self._finished and self.dialect in ("openai", "chat"):
            raise ServerError("its stream broke off before the transcript was complete")

    def _take(self, event: Event) -> None:
        payload = _parsed(event)
        if self.dialect == "auto":
            self.dialect = _sniffed(payload)
        before = self.text
        if self.dialect == "words":
            self.text += event.data
        elif self.dialect == "chat":
            chunk = parse(event)
            self.text += chunk.content
            self._finished |= bool(chunk.finish)
        elif isinstance(payload, dict):
            self._take_openai(payload)
        else:
            raise ServerError(f"an event of its stream is not a JSON object: {short(event.data)}")
        if len(self.text) > LONGEST:
            raise ServerError(f"its transcript is longer than {LONGEST:,} characters")
        if self.text != before and self._partials < MOST_PARTIALS:
            self._partials += 1
            self._partial(self.text, event.at_ns)

    def _take_openai(self, payload: dict[str, Any]) -> None:
        if payload.get("type") == DELTA:
            self.text += _string(payload.get("delta"))
        elif payload.get("type") == FINAL:
            self.text = _string(payload.get("text")) or self.text
            self._finished = True


def _sniffed(payload: Any) -> str:
    if not isinstance(payload, dict):
        return "words"
    return "chat" if "choices" in payload else "openai"


def _parsed(event: Event) -> Any:
    """The event as JSON, None if it is none. Raises `ServerError` for an error that it reports."""
    try:
        payload = json.loads(event.data)
    except (ValueError, RecursionError):
        payload = None
    if event.name == "error" or (isinstance(payload, dict) and is_error(payload)):
        raise ServerError(f"it reported an error mid-stream: {error_text(event.data if payload is None else payload)}")
    return payload


def _from_document(body: str, content_type: str) -> str:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        if content_type == "text/plain" and not body.lstrip().startswith("<"):
            return _string(body)
        raise ServerError(f"it answered with no transcript: {body_text(body)}") from None
    if isinstance(payload, dict) and isinstance(payload.get("text"), str):
        return _string(payload["text"])
    raise ServerError(f"it answered with no transcript: {error_text(payload)}")


def _string(value: object) -> str:
    # JSON can hold half a character (a lone surrogate), which no language model and no file takes.
    text = value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else ""
    if len(text) > LONGEST:
        raise ServerError(f"its transcript is longer than {LONGEST:,} characters")
    return text
