"""The engine openai, loaded from a server in this process, and one turn of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from firstpacket.bench.pipeline import Settings
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.spans import TurnTrace
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.llm.openai import OpenAIServer
from support.llm_server import Answer, Scripted, delta, serving

KEY = "sk-very-secret-0123456789"
SAID = ["The", " sky", " is", " blue", "."]


@contextmanager
def answering() -> Iterator[Scripted]:
    """A server that streams `SAID`."""
    with serving() as made:
        made.script = lambda answer: answer.stream([*map(delta, SAID), delta(finish="stop"), "[DONE]"])
        yield made


def engine(url: str, **changed: Any) -> OpenAIServer:
    options = {option.name: option.default for option in OpenAIServer.declaration.options}
    given = {name.replace("_", "-"): value for name, value in changed.items()}
    assert given.keys() <= options.keys()
    return OpenAIServer(Settings(seed=7, options={**options, "llm-url": url, "llm-timeout": 5.0, **given}))


def loaded(server: Scripted, **changed: Any) -> OpenAIServer:
    made = engine(server.url, **changed)
    made.load()
    return made


def turn(model: OpenAIServer, text: str = "Why?", prepared: bool = True) -> tuple[list[str], TurnTrace]:
    trace = Trace(MonotonicClock())
    if prepared:
        model.prepare(trace)
    pieces = list(model.reply(text, trace))
    return pieces, trace.finish()


def marks(trace: TurnTrace) -> list[str]:
    return [mark.name for mark in trace.marks]


def plain(status: int, body: Any, **headers: str) -> Callable[[Answer], None]:
    """An answer with this status, body and headers."""
    return lambda answer: answer.plain(status, body, **headers)


def streamed(*events: str) -> Callable[[Answer], None]:
    """A stream of these events."""
    return lambda answer: answer.stream(list(events))
