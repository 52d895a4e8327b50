"""What one event of a chat-completions stream says of the reply."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from firstpacket.pipelines.remote.http.events import Event
from firstpacket.pipelines.remote.problems import ServerError, error_text, is_error, short

DONE = "[DONE]"
REASONING = ("reasoning_content", "reasoning", "reasoning_details", "thinking", "thinking_blocks", "thought")
"""Fields of reasoning: vLLM's and DeepSeek's, OpenRouter's two, and those of gateways."""
THOUGHT_PARTS = ("thinking", "reasoning", "thought")
"""Kinds of parts, where content is a list (Mistral)."""
CALLS = ("tool_calls", "function_call")


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the server counts them."""

    prompt: int
    reply: int
    cached: int | None = None
    """Tokens of the prompt that came from its prefix cache; None if it does not say."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One event of the stream."""

    content: str = ""
    audio: str = ""
    """Audio in base64."""
    transcript: str = ""
    """Words of the audio."""
    reasons: bool = False
    """Whether it has reasoning, in a field of its own."""
    refusal: str = ""
    called: str = ""
    """Name of a tool that the model calls."""
    calls: bool = False
    has_choice: bool = False
    finish: str = ""
    """Why the reply ended: `stop`, `length`, `content_filter`, `tool_calls`; empty if it goes on."""
    usage: Usage | None = None
    fingerprint: str = ""
    at_ns: int = field(default=0, compare=False)
    """When it arrived."""


NOTHING = Chunk()


def parse(event: Event) -> Chunk:
    """Parse one event. Raises `ServerError` if it is not a chunk, or is an error reported by the server."""
    try:
        payload = json.loads(event.data)
    except (ValueError, RecursionError) as error:
        if event.name == "error":
            raise ServerError(f"it reported an error mid-stream: {short(event.data)}") from error
        if event.name not in ("", "message"):  # a gateway's own, such as `ping`
            return NOTHING
        raise ServerError(f"an event of its stream is not JSON: {short(event.data)}") from error
    if event.name == "error" or (isinstance(payload, dict) and is_error(payload)):
        raise ServerError(f"it reported an error mid-stream: {error_text(payload)}")
    if not isinstance(payload, dict):
        raise ServerError(f"an event of its stream is not a JSON object: {short(event.data)}")
    choices = payload.get("choices") or []
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        raise ServerError(f"an event's choices are not a list of objects: {short(event.data)}")
    usage, fingerprint = _usage(payload), payload.get("system_fingerprint")
    if not choices:
        return Chunk(usage=usage, fingerprint=_string(fingerprint), at_ns=event.at_ns)
    if choices[0].get("error"):
        raise ServerError(f"it reported an error mid-stream: {error_text(choices[0])}")
    delta = choices[0].get("delta") or choices[0].get("message") or {}
    if not isinstance(delta, dict):
        raise ServerError(f"an event's delta is not an object: {short(event.data)}")
    content, thought = _content(delta, event.data)
    audio, transcript = _audio(delta)
    if payload.get("modality") == "audio":  # vLLM-Omni's
        content, audio = "", audio or content
    finish = choices[0].get("finish_reason")
    return Chunk(
        content=content,
        audio=audio,
        transcript=transcript,
        reasons=thought or any(delta.get(name) for name in REASONING),
        refusal=_string(delta.get("refusal")),
        called=_called(delta),
        calls=any(delta.get(name) for name in CALLS),
        has_choice=True,
        finish=str(finish) if finish else "",
        usage=usage,
        fingerprint=_string(fingerprint),
        at_ns=event.at_ns,
    )


def chunks(events: Iterator[Event], ends_at_finish: bool = False) -> Iterator[Chunk]:
    """Chunks until the stream's end, or until the reply is finished.

    Raises `ServerError` for a stream that ends before the reply does, or has none.
    """
    chosen = finished = False
    for event in events:
        if event.data.strip() == DONE:
            finished = True
            break
        chunk = parse(event)
        chosen |= chunk.has_choice
        finished |= bool(chunk.finish)
        yield chunk
        if finished and ends_at_finish:
            break
    if not finished:
        raise ServerError("its stream broke off before the reply was complete")
    if not chosen:
        raise ServerError("its stream contains no choices")


def _content(delta: Mapping[str, Any], data: str) -> tuple[str, bool]:
    """The text of a delta, and whether its parts have thoughts."""
    value = delta.get("content") or ""
    parts = value if isinstance(value, list) else [{"type": "text", "text": value}]
    if not all(isinstance(part, dict) for part in parts):
        raise ServerError(f"an event's content is not text: {short(data)}")
    texts = [part.get("text") or "" for part in parts if part.get("type") not in THOUGHT_PARTS]
    if not all(isinstance(text, str) for text in texts):
        raise ServerError(f"an event's content is not text: {short(data)}")
    return _string("".join(texts)), any(part.get("type") in THOUGHT_PARTS for part in parts)


def _audio(delta: Mapping[str, Any]) -> tuple[str, str]:
    """Audio of a delta in base64, and its words."""
    audio = delta.get("audio")
    return (_string(audio.get("data")), _string(audio.get("transcript"))) if isinstance(audio, dict) else ("", "")


def _string(value: object) -> str:
    # JSON can hold half a character (a lone surrogate), which no voice and no file takes.
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else ""


def _called(delta: Mapping[str, Any]) -> str:
    calls = delta.get("tool_calls")
    call = calls[0] if isinstance(calls, list) and calls and isinstance(calls[0], dict) else {}
    function = call.get("function") or delta.get("function_call")
    return _string(function.get("name")) if isinstance(function, dict) else ""


def _usage(payload: Mapping[str, Any]) -> Usage | None:
    """Token counts are optional: anything malformed is ignored."""
    usage = payload.get("usage")
    if not isinstance(usage, dict):
        return None
    prompt, reply = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    return None if prompt is None or reply is None else Usage(prompt, reply, _cached(payload, usage))


def _cached(payload: Mapping[str, Any], usage: Mapping[str, Any]) -> int | None:
    """OpenAI's and vLLM's detail, DeepSeek's field, or llama.cpp's timings."""
    details, timings = usage.get("prompt_tokens_details"), payload.get("timings")
    found = (
        details.get("cached_tokens") if isinstance(details, dict) else None,
        usage.get("prompt_cache_hit_tokens"),
        timings.get("cache_n") if isinstance(timings, dict) else None,
    )
    return next((count for each in found if (count := _count(each)) is not None), None)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
