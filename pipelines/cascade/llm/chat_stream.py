"""Parses the stream of a chat-completions server: one JSON object per event, until `[DONE]`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from firstpacket.bench.errors import BenchError

DONE = "[DONE]"
OPENING, CLOSING = "<think>", "</think>"
REASONING = ("reasoning_content", "reasoning")
"""The first is used by vLLM and DeepSeek, the second by OpenRouter and later vLLMs."""


class ServerError(BenchError):
    """Raised when a language model's server does not answer properly, with a one-line reason."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One event of the stream."""

    content: str = ""
    reasoning: str = ""
    has_choice: bool = False
    finished: bool = False
    usage: tuple[int, int] | None = None
    """Tokens of the prompt and of the reply, as the server counts them."""


def parse(data: str) -> Chunk:
    """Parse one event's data. Raises `ServerError` if it is not a chunk, or is an error reported by the server."""
    try:
        said = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ServerError(f"an event of its stream is not JSON: {_short(data)}") from error
    if not isinstance(said, dict):
        raise ServerError(f"an event of its stream is not a JSON object: {_short(data)}")
    if said.get("error"):
        raise ServerError(f"it reported an error mid-stream: {error_text(said)}")
    choices = said.get("choices") or []
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        raise ServerError(f"an event's choices are not a list of objects: {_short(data)}")
    if not choices:
        return Chunk(usage=_usage(said.get("usage")))
    delta = choices[0].get("delta") or {}
    if not isinstance(delta, dict):
        raise ServerError(f"an event's delta is not an object: {_short(data)}")
    return Chunk(
        content=_text(delta, "content", data),
        reasoning="".join(_text(delta, name, data) for name in REASONING),
        has_choice=True,
        finished=choices[0].get("finish_reason") is not None,
        usage=_usage(said.get("usage")),
    )


def error_text(said: Mapping[str, Any]) -> str:
    """A server's error in one line: OpenAI's `error.message`, FastAPI's `detail`, or the whole body."""
    problem = said.get("error") or said.get("detail") or said.get("message") or said
    if isinstance(problem, dict):
        problem = problem.get("message") or problem
    return _short(problem if isinstance(problem, str) else json.dumps(problem))


class Thoughts:
    """Removes the reasoning at the beginning of a reply, between `<think>` and `</think>`."""

    def __init__(self) -> None:
        self._held = ""
        self._seeks: str | None = OPENING

    def push(self, piece: str) -> str:
        """The part of the answer that is certain after this piece; empty during reasoning."""
        if self._seeks is None:
            return piece
        self._held += piece
        if self._seeks == OPENING:
            begun = self._held.lstrip()
            if begun.startswith(OPENING):
                self._seeks, self._held = CLOSING, begun.removeprefix(OPENING)
            elif not OPENING.startswith(begun):
                return self.flush()
        if self._seeks == CLOSING:
            return self._after_closing()
        return ""

    def flush(self) -> str:
        """What is left at the end: text that looked like the start of `<think>` but was not."""
        left = self._held if self._seeks == OPENING else ""
        self._seeks, self._held = None, ""
        return left

    def _after_closing(self) -> str:
        _, closing, answer = self._held.partition(CLOSING)
        if not closing:
            self._held = self._held[-len(CLOSING) :]
            return ""
        self._seeks, self._held = None, ""
        return answer.lstrip()


def _text(delta: Mapping[str, Any], name: str, data: str) -> str:
    value = delta.get(name) or ""
    if not isinstance(value, str):
        raise ServerError(f"an event's {name} is not text: {_short(data)}")
    # JSON can hold half a character (a lone surrogate), which no voice and no file takes.
    return value.encode("utf-8", "replace").decode("utf-8")


def _usage(said: object) -> tuple[int, int] | None:
    """Token counts are optional: anything malformed is ignored."""
    if not isinstance(said, dict):
        return None
    prompt, reply = said.get("prompt_tokens"), said.get("completion_tokens")
    return (prompt, reply) if isinstance(prompt, int) and isinstance(reply, int) else None


def _short(text: str, most: int = 200) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]}…"
