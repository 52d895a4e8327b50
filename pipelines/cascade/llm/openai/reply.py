"""One reply as it is streamed: pieces of the answer, their marks, and why there may be none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from firstpacket.bench.timing.trace import Trace
from firstpacket.bench.vocabulary import KnownMark
from firstpacket.pipelines.cascade.llm.openai.thoughts import Thoughts
from firstpacket.pipelines.remote.credentials import SecretFilter
from firstpacket.pipelines.remote.http.answer import Answer
from firstpacket.pipelines.remote.http.chat import Chunk
from firstpacket.pipelines.remote.http.server import Content, Server
from firstpacket.pipelines.remote.problems import ServerError, short

PIECES_PER_TOKEN = 16
"""Some servers send a token letter by letter; more pieces than this per token means `llm-max-tokens` is ignored."""
CHARACTERS_PER_TOKEN = 256
LENGTH, FILTERED = "length", "content_filter"


def asked(server: Server, body: dict[str, Any], trace: Trace) -> AbstractContextManager[Answer]:
    """Ask for a completion: gives the answer once it has begun. Raises as `Server.exchange` does."""
    return server.exchange("POST", f"{server.url}/chat/completions", trace, Content(json=body))


class Reply:
    """Reads one reply of at most `longest` tokens."""

    def __init__(self, trace: Trace, thoughts: Thoughts, secrets: SecretFilter, longest: int) -> None:
        self._trace = trace
        self._thoughts = thoughts
        self._secrets = secrets
        self._longest = longest
        self._marked: set[KnownMark] = set()
        self._finish = self._refusal = self._called = ""
        self._reasoned = self._calls = False
        self._at_ns: int | None = None
        """When the last chunk arrived."""

    def pieces(self, chunks: Iterator[Chunk]) -> Iterator[str]:
        """Pieces of the answer; thoughts give empty ones. Raises `ServerError` for a reply that is too long."""
        pieces = characters = 0
        for chunk in chunks:
            self._at_ns = chunk.at_ns
            self._note(chunk)
            if not (chunk.content or chunk.reasons):
                continue
            self._mark(KnownMark.LLM_FIRST_TOKEN)
            pieces, characters = pieces + 1, characters + len(chunk.content)
            most = self._longest + 1
            if pieces > PIECES_PER_TOKEN * most or characters > CHARACTERS_PER_TOKEN * most:
                raise ServerError("its reply goes on past llm-max-tokens")
            yield self._answer(self._thoughts.push(self._secrets.push(chunk.content)))
        rest = self._thoughts.push(self._secrets.flush()) + self._thoughts.flush(self._finish == LENGTH)
        if self._thoughts.unclear:
            self._mark(KnownMark.LLM_THOUGHTS_UNCLEAR)
        if rest:
            yield self._answer(rest)

    @property
    def shortcoming(self) -> str:
        """Why there is no answer, or not all of it; empty if there is."""
        if self._finish == FILTERED:
            return f"the server's content filter {'cut the reply off' if self._answered else 'withheld the reply'}"
        if self._calls:
            name = f" {short(self._called)}" if self._called else ""
            return f"the model called the tool{name}{' as well' if self._answered else ' instead of answering'}"
        if self._answered:
            return ""
        if self._refusal:
            return f"the model refused to answer: {short(self._refusal)}"
        content = "thoughts alone" if self._reasoned or self._thoughts.thought else "no text"
        if self._finish == LENGTH:
            return f"the reply was cut off after {self._longest} tokens (llm-max-tokens) and has {content}"
        return f"the server's reply has {content}"

    @property
    def _answered(self) -> bool:
        return KnownMark.LLM_FIRST_ANSWER_TOKEN in self._marked

    def _note(self, chunk: Chunk) -> None:
        if chunk.usage is not None:
            self._trace.usage(chunk.usage.prompt, chunk.usage.reply, chunk.usage.cached)
        self._finish = chunk.finish or self._finish
        self._refusal += chunk.refusal
        self._called = self._called or chunk.called
        self._calls |= chunk.calls
        self._reasoned |= chunk.reasons

    def _answer(self, text: str) -> str:
        if text.strip():
            self._mark(KnownMark.LLM_FIRST_ANSWER_TOKEN)
        return text

    def _mark(self, mark: KnownMark) -> None:
        if mark not in self._marked:
            self._marked.add(mark)
            self._trace.mark(mark, at_ns=self._at_ns)
