"""The request, and which of its fields a server accepts: tried at loading, since each server refuses others.

Current models of OpenAI want `max_completion_tokens` and their own temperature, Mistral knows no `seed`, strict servers
refuse whatever they do not know. A refused field is renamed or left out, and the run records it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from firstpacket.bench.pipeline import Settings
from firstpacket.pipelines.cascade.llm import options
from firstpacket.pipelines.remote.problems import ServerError

Body = dict[str, Any]
OPTIONAL = ("stream_options", "seed", "temperature", "top_p")
"""Fields that a request can do without. Not `min_tokens`, which is sent only if the user wants it."""
LIMIT, NEW_LIMIT = "max_tokens", "max_completion_tokens"
NO_SYSTEM = re.compile(r"(?i)\bsystem\b.{0,40}\b(role|message|prompt)|\brole\b.{0,40}\bsystem\b")
HIDES_A_FIELD = (400, 422)
"""What servers answer to a request with a field that they do not know."""
NOT_ABOUT_FIELDS = (401, 403, 404, 407, 429)


def documented(settings: Settings, model: str, text: str, longest: int) -> Body:
    """The request for a reply of at most `longest` tokens to what the user said, as it is documented."""
    fewest = min(settings.whole("llm-min-tokens"), longest)
    return {
        "model": model,
        "messages": [{"role": "system", "content": options.SYSTEM}, {"role": "user", "content": text.strip()}],
        "stream": True,
        LIMIT: longest,
        "temperature": settings.number("llm-temperature"),
        "top_p": settings.number("llm-top-p"),
        "seed": settings.seed,
        # An extension of vLLM and SGLang: others reject it with an error.
        **({"min_tokens": fewest} if fewest else {}),
        "stream_options": {"include_usage": True},
    }


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a server was found to accept."""

    without: tuple[str, ...] = ()
    """Fields that are left out."""
    limit: str = LIMIT
    """The field for the maximum length of a reply."""
    takes_system: bool = True
    """Whether it takes a system message; if not, that text begins the user's."""

    def body(self, wanted: Body) -> Body:
        """The request as this server takes it."""
        body = {name: value for name, value in wanted.items() if name not in self.without}
        if self.limit != LIMIT:
            body[self.limit] = body.pop(LIMIT)
        if not self.takes_system:
            system, user = body["messages"]
            body["messages"] = [{"role": "user", "content": f"{system['content']}\n\n{user['content']}"}]
        return body

    @property
    def changes(self) -> tuple[str, ...]:
        """What differs from the documented request, for people."""
        renamed = (f"{LIMIT} is sent as {self.limit}",) if self.limit != LIMIT else ()
        left_out = (f"{', '.join(self.without)} not sent",) if self.without else ()
        merged = () if self.takes_system else ("the system text is part of the user's message",)
        return (*renamed, *left_out, *merged)


def negotiate(send: Callable[[Body], None], wanted: Body) -> Accepted:
    """What to send instead of `wanted`, so that the server takes it. Raises `ServerError` if it takes nothing.

    `send` raises `ServerError` for a refusal. A field is left out only if its absence was needed.
    """
    accepted = Accepted()
    while (refusal := _refusal(send, accepted.body(wanted))) is not None:
        changed = _changed(accepted, refusal, wanted)
        if changed is None:
            raise refusal
        accepted = changed
    return _restored(send, wanted, accepted)


def _refusal(send: Callable[[Body], None], body: Body) -> ServerError | None:
    try:
        send(body)
    except ServerError as refusal:
        return refusal
    return None


def _changed(accepted: Accepted, refusal: ServerError, wanted: Body) -> Accepted | None:
    """What to try after this refusal; None if it is not about anything that can be changed."""
    text, left = str(refusal), [name for name in OPTIONAL if name in wanted and name not in accepted.without]
    if refusal.status in NOT_ABOUT_FIELDS:
        return None
    named = {name: found.start() for name in (*left, LIMIT) if (found := _mention(name, text))}
    if accepted.limit != LIMIT:
        named.pop(LIMIT, None)
    if named:
        first = min(named, key=lambda name: named[name])
        return replace(accepted, limit=NEW_LIMIT) if first == LIMIT else _without(accepted, first)
    if accepted.takes_system and NO_SYSTEM.search(text):
        return replace(accepted, takes_system=False)
    if refusal.status in HIDES_A_FIELD and left:
        return _without(accepted, *left)
    if refusal.status in HIDES_A_FIELD and accepted.limit == LIMIT:
        return replace(accepted, limit=NEW_LIMIT)
    return None


def _mention(name: str, text: str) -> re.Match[str] | None:
    other = "|include_usage" if name == "stream_options" else ""
    return re.search(rf"(?<!\w)({name}{other})(?!\w)", text)


def _without(accepted: Accepted, *names: str) -> Accepted:
    return replace(accepted, without=(*accepted.without, *names))


def _restored(send: Callable[[Body], None], wanted: Body, accepted: Accepted) -> Accepted:
    """With the documented fields that the server takes after all: a refusal may name more than it refuses, or nothing.

    If there was a single change, it was needed.
    """
    candidates = [*accepted.without, *([LIMIT] if accepted.limit != LIMIT else [])]
    for name in candidates if len(candidates) > 1 else ():
        without = tuple(each for each in accepted.without if each != name)
        more = replace(accepted, limit=LIMIT) if name == LIMIT else replace(accepted, without=without)
        if _refusal(send, more.body(wanted)) is None:
            accepted = more
    return accepted
