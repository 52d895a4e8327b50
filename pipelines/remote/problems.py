"""A server's error in one line, whatever form it has.

{"error": {"message": "…", "param": "seed"}}      OpenAI, vLLM, SGLang, llama.cpp
{"error": "…"}, {"object": "error", "message": "…"}
{"detail": "…"}, {"detail": [{"loc": ["body", "seed"], "msg": "…"}]}      FastAPI
{"message": "…"}, {"errors": […]}      gateways
a page of HTML      proxies
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from firstpacket.bench.errors import BenchError
from firstpacket.bench.pipeline import TurnEnded
from firstpacket.bench.vocabulary import Outcome

MOST = 300
"""Characters of what a server says."""
PLACES = ("error", "errors", "detail", "details", "message", "msg", "error_message", "error_msg", "title", "reason")
"""Where an error's text is, the most telling first."""
_HEADLINE = re.compile(r"(?is)<(title|h1)[^>]*>(.*?)</\1>")
_TAG = re.compile(r"(?s)<(style|script)\b.*?</\1>|<[^>]*>")


class ServerError(BenchError):
    """Raised when a server does not answer properly, with a one-line reason."""

    def __init__(self, reason: str, status: int = 200) -> None:
        super().__init__(reason)
        self.status = status
        """Of the response; 200 also if there was none."""


OUTCOMES: dict[int, Outcome] = {
    **dict.fromkeys((400, 401, 403, 404, 405, 407, 413, 415, 422), "refused"),
    **dict.fromkeys((402, 429), "limited"),
    **dict.fromkeys((503, 529), "busy"),
}
"""Outcomes of turns by the status with which a server answered; 529 is used for an overload by some providers."""


@contextmanager
def turn_outcomes() -> Iterator[None]:
    """Raise a `ServerError` of the body as `TurnEnded` where its status says why there is no answer."""
    try:
        yield
    except ServerError as error:
        if error.status in OUTCOMES:
            raise TurnEnded(OUTCOMES[error.status], str(error)) from error
        raise


@contextmanager
def explained_load(*options: str) -> Iterator[None]:
    """Raise a `ServerError` of the body, which loads an engine, with the options to check."""
    try:
        yield
    except ServerError as error:
        raise ServerError(
            f"{str(error).rstrip('.')}. Check that the server is running, and check {', '.join(options)} and the key.",
            error.status,
        ) from error


def is_error(payload: Mapping[str, Any]) -> bool:
    """Whether a JSON object reports an error, be it with status 200 or in a stream."""
    if payload.get("choices"):
        return bool(payload.get("error"))
    reported = bool(payload.get("error") or payload.get("errors")) or "error" in (
        payload.get("object"),
        payload.get("type"),
    )
    return reported or any(payload.get(place) for place in PLACES[2:])


def error_text(payload: Any) -> str:
    """The text of an error in JSON; the whole of it if none is found."""
    with suppress(RecursionError):
        return short(_text(payload) or json.dumps(payload))
    return "an error that is nested too deeply to be read"


def body_text(body: str) -> str:
    """What the body of an error response says; empty for an empty one."""
    try:
        return error_text(json.loads(body))
    except (ValueError, RecursionError):
        pass
    if not body.lstrip().startswith("<"):
        return short(next(iter(body.strip().splitlines()), ""))
    headline = _HEADLINE.search(body)
    return short(html.unescape(_TAG.sub(" ", headline.group(2) if headline else body)))


def short(text: str) -> str:
    """One line of at most `MOST` characters."""
    line = " ".join(text.split())
    return line if len(line) <= MOST else f"{line[:MOST]}…"


def _text(payload: Any) -> str:
    if isinstance(payload, str):
        return payload
    if isinstance(payload, list):
        return "; ".join(filter(None, map(_item, payload[:3])))
    if not isinstance(payload, dict):
        return ""
    text = next(filter(None, (_text(payload.get(place)) for place in PLACES)), "")
    # OpenRouter keeps what the provider said here.
    metadata = payload.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    more = [each for each in (payload.get("param"), raw) if isinstance(each, str) and each and each not in text]
    return f"{text} ({', '.join(more)})" if text and more else text


def _item(payload: Any) -> str:
    """One of several errors; pydantic's say where in the request they are."""
    place = payload.get("loc") if isinstance(payload, dict) else None
    where = ".".join(str(part) for part in place if part != "body") if isinstance(place, list) else ""
    return f"{where}: {_text(payload)}" if where else _text(payload)
