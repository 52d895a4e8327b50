"""Any server that speaks OpenAI's chat completions: vLLM, SGLang, llama.cpp, TGI, `transformers serve`, or a paid one.

Every turn marks `llm.first_byte` (the answer's head is there), `llm.first_token` (the first text, be it thought aloud
or answer) and `llm.first_answer_token`; `llm.connected` besides, if the connection of the turn before had been closed.
The wait is the host's time in the spans `llm.prefill` (up to the first token) and `llm.decode`. What one event holds is
one piece, be it one token or several: that is the server's choice.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from firstpacket.bench.errors import UsageError
from firstpacket.bench.pipeline import Declaration, Option, OptionValue, Requirement, Settings, Stage, Weights
from firstpacket.bench.timing.trace import Trace
from firstpacket.bench.vocabulary import KnownMark
from firstpacket.pipelines.cascade.engines import LLM, imported
from firstpacket.pipelines.cascade.llm import options
from firstpacket.pipelines.cascade.llm.chat_stream import DONE, Chunk, ServerError, Thoughts, parse

if TYPE_CHECKING:
    from firstpacket.pipelines.cascade.llm.server import Server

KEY_VARIABLE = "OPENAI_API_KEY"
COUNTS = {"stream_options": {"include_usage": True}}
PATH = "/chat/completions"
LONGEST_WAIT_S = 3600
PIECES_PER_TOKEN = 16
"""Some servers send a token letter by letter; more pieces than this per token means `llm-max-tokens` is ignored."""


class OpenAIServer(LLM):
    """Sends requests to a server; nothing is retried, so a turn that fails there is a failed turn."""

    declaration = Declaration(
        name="openai",
        summary="Any server with an OpenAI-compatible streaming chat API; keys come from the environment only.",
        stages=(Stage("llm.prefill", "think", "llm"), Stage("llm.decode", "think", "llm")),
        options=(
            Option("llm-url", "http://127.0.0.1:8000/v1", "base URL of the server"),
            Option("llm-model", "", "model name; empty: the only one that the server lists"),
            Option("llm-timeout", 30.0, "timeout for connecting and between events, s"),
            Option("llm-key-env", KEY_VARIABLE, "environment variable with the API key"),
            options.MAX_TOKENS,
            options.MIN_TOKENS,
            options.TEMPERATURE,
            options.TOP_P,
        ),
        requires=(Requirement("httpx2", "openai"),),
    )

    def __init__(self, settings: Settings) -> None:
        """Raises `UsageError` for a URL that would put a secret into the records."""
        super().__init__(settings)
        self._server: Server | None = None
        self._url = _address(settings.text("llm-url"))
        self._model = settings.text("llm-model")
        self._counted = False

    def load(self) -> None:
        """Connect and generate one token: the server may load its model only then.

        Raises `UsageError`, `MissingDependency`, or `ServerError` if the server is not there or refuses.
        """
        options.check(self.settings)
        if not 0 < self.settings.number("llm-timeout") <= LONGEST_WAIT_S:
            raise UsageError(
                f"llm-timeout is {self.settings.options['llm-timeout']} s, but it must be above 0 s and at most "
                f"{LONGEST_WAIT_S} s."
            )
        key = _key(self.settings.text("llm-key-env"))
        imported("httpx2", "openai", "The language model engine openai")
        from firstpacket.pipelines.cascade.llm.server import Server

        self._server = Server(self._url, key, self.settings.number("llm-timeout"))
        try:
            self._model = self._model or _only(self._server.models())
            self._counted = self._counts()
        except ServerError as error:
            raise ServerError(
                f"{str(error).rstrip('.')}. Check that the server is running, and check llm-url, llm-model and the key."
            ) from error

    def reply(self, text: str, trace: Trace) -> Iterator[str]:
        """Yield the answer as it arrives; reasoning before it gives empty pieces. Yields nothing if the server's reply
        is empty.

        Raises `ServerError` with the reason in one line.
        """
        thoughts, pieces = Thoughts(), 0
        most = PIECES_PER_TOKEN * self.settings.whole("llm-max-tokens") + PIECES_PER_TOKEN
        marked: set[str] = set()

        def mark(name: str) -> None:
            if name not in marked:
                marked.add(name)
                trace.mark(name)

        with self._ready().chat(self._body(text), lambda: trace.mark(KnownMark.LLM_CONNECTED)) as events:
            mark(KnownMark.LLM_FIRST_BYTE)
            for chunk in _chunks(events):
                if chunk.usage is not None:
                    trace.usage(*chunk.usage)
                if chunk.content or chunk.reasoning:
                    mark(KnownMark.LLM_FIRST_TOKEN)
                    pieces += 1
                    if pieces > most:
                        raise ServerError("its reply goes on past llm-max-tokens")
                    answer = thoughts.push(chunk.content)
                    if answer:
                        mark(KnownMark.LLM_FIRST_ANSWER_TOKEN)
                    yield answer
            left = thoughts.flush()
            if left:
                mark(KnownMark.LLM_FIRST_ANSWER_TOKEN)
                yield left

    def close(self) -> None:
        """Close the connection."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def weights(self) -> tuple[Weights, ...]:
        """The model that was requested; only the server knows where its weights come from."""
        return (Weights("llm", "none", f"{self._model}, served by {self._url}", "not loaded here"),)

    def facts(self) -> Mapping[str, OptionValue]:
        """The model, and whether the server counts tokens (`usage` of every trace)."""
        return {"llm_model": self._model, "llm_usage": "asked for" if self._counted else "not accepted"}

    def _body(self, text: str, **changed: Any) -> dict[str, Any]:
        settings = self.settings
        fewest = settings.whole("llm-min-tokens")
        return {
            "model": self._model,
            "messages": [{"role": "system", "content": options.SYSTEM}, {"role": "user", "content": text.strip()}],
            "stream": True,
            "max_tokens": settings.whole("llm-max-tokens"),
            "temperature": settings.number("llm-temperature"),
            "top_p": settings.number("llm-top-p"),
            "seed": settings.seed,
            # An extension of vLLM and SGLang: others reject it with an error.
            **({"min_tokens": fewest} if fewest else {}),
            **(COUNTS if self._counted else {}),
            **changed,
        }

    def _counts(self) -> bool:
        """Generate one token, with token counts unless the server rejects that. Returns whether it counts."""
        few: dict[str, Any] = {"max_tokens": 1, **({"min_tokens": 1} if self.settings.whole("llm-min-tokens") else {})}
        try:
            self._warm_up({**few, **COUNTS})
        except ServerError as error:
            if "stream_options" not in str(error) and "include_usage" not in str(error):
                raise
            self._warm_up(few)
            return False
        return True

    def _warm_up(self, changed: dict[str, Any]) -> None:
        with self._ready().chat(self._body("Hello.", **changed)) as events:
            for _ in _chunks(events):
                pass

    def _ready(self) -> Server:
        if self._server is None:
            raise RuntimeError("call load() first")
        return self._server


def _chunks(events: Iterator[str]) -> Iterator[Chunk]:
    """Chunks until the stream's end. Raises `ServerError` for one that ends before the reply does, or has none."""
    chosen = finished = False
    for data in events:
        if data.strip() == DONE:
            finished = True
            break
        chunk = parse(data)
        chosen |= chunk.has_choice
        finished |= chunk.finished
        yield chunk
    if not finished:
        raise ServerError("its stream broke off before the reply was complete")
    if not chosen:
        raise ServerError("its stream contains no choices")


def _address(url: str) -> str:
    """The base URL. Raises `UsageError`, whose message repeats nothing that might be a secret."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise UsageError("llm-url is not a valid URL. Use one like http://127.0.0.1:8000/v1.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            f"llm-url contains a user name, a password or a query, but it is recorded with every run. Remove them, "
            f"and put the key into the environment variable {KEY_VARIABLE} (or the one that llm-key-env names)."
        )
    return url.rstrip("/").removesuffix(PATH)


def _key(variable: str) -> str:
    """The key, or nothing. Raises `UsageError` without repeating a value that may be the key itself."""
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", variable):
        raise UsageError(
            "llm-key-env is not the name of an environment variable (capitals, digits and _). Put the key into a "
            "variable and give its name: options are recorded with every run."
        )
    key = os.environ.get(variable, "").strip()
    if not key and variable != KEY_VARIABLE:
        raise UsageError(f"llm-key-env names {variable}, which is not set. Set it, or remove llm-key-env.")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise UsageError(
            f"The value of {variable} is not a valid key: it has characters that are not allowed in an HTTP header."
        )
    return key


def _only(models: tuple[str, ...]) -> str:
    if len(models) == 1:
        return models[0]
    listing = f"lists {', '.join(models[:8])}" if models else "lists none"
    raise UsageError(f"llm-model is empty, and the server {listing}. Choose a model with llm-model.")
