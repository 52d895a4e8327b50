"""Any server that speaks OpenAI's chat completions: vLLM, SGLang, llama.cpp, TGI, `transformers serve`, or a paid one.

Every turn marks `llm.first_byte` (the answer's head is there), `llm.first_token` (the first token, be it thought aloud,
white space or answer) and `llm.first_answer_token` (the first text of the answer); `llm.connected` besides, if the
connection of the turn before had been closed. A mark of something that did not come is absent.
The wait is the host's time in the spans `llm.prefill` (up to the first token) and `llm.decode`. What one event holds is
one piece, be it one token or several: that is the server's choice.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from threading import Timer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from firstpacket.bench.errors import UsageError
from firstpacket.bench.pipeline import Declaration, Option, OptionValue, Requirement, Settings, Stage, Weights
from firstpacket.bench.timing.cancellation import Cancellation, TurnCancelled
from firstpacket.bench.timing.trace import Trace
from firstpacket.bench.vocabulary import KnownMark
from firstpacket.pipelines.cascade.engines import LLM, imported
from firstpacket.pipelines.cascade.llm import options
from firstpacket.pipelines.cascade.llm.openai.fields import LIMIT, Accepted, Body, negotiate
from firstpacket.pipelines.cascade.llm.openai.problems import ServerError
from firstpacket.pipelines.cascade.llm.openai.thoughts import Thoughts

if TYPE_CHECKING:
    from firstpacket.pipelines.cascade.llm.openai.connection import Server

KEY_VARIABLE = "OPENAI_API_KEY"
PATH = "/chat/completions"
LONGEST_WAIT_S = 3600
TRIAL = "Hello."
"""The user's text of requests at loading."""
TRIAL_TOKENS = 1024
"""Thoughts are often longer than the reply of a turn may be, and the trial must see their end."""
TRIAL_S = 10.0
END_S = 1.0
"""How long a stream may stay open after the reply before it counts as one that stays open."""


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
        self._accepted = Accepted()
        self._unopened = False
        """Whether the model closes thoughts that it never opens."""

    def load(self) -> None:
        """Connect, find out what the server accepts, and read a reply: the server may load its model only then.

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
        from firstpacket.pipelines.cascade.llm.openai.connection import Server

        self._server = Server(self._url, key, self.settings.number("llm-timeout"))
        try:
            self._model = self._model or _only(self._server.models())
            self._accepted = self._negotiated()
        except ServerError as error:
            raise ServerError(
                f"{str(error).rstrip('.')}. Check that the server is running, and check llm-url, llm-model and the key."
            ) from error
        self._try_a_reply()

    def reply(self, text: str, trace: Trace) -> Iterator[str]:
        """Yield the answer as it arrives; thoughts before it give empty pieces. Yields nothing if the server's reply is
        empty, and notes why.

        Raises `ServerError` with the reason in one line, and `TurnCancelled` with what it was waiting for.
        """
        from firstpacket.pipelines.cascade.llm.openai.reply import Reply, chunks

        server, longest = self._ready(), self.settings.whole("llm-max-tokens")
        reply = Reply(trace, Thoughts(self._unopened), server.key_filter(), longest)
        body = self._accepted.body(self._wanted(text, longest))
        with server.chat(body, trace.cancellation, lambda: trace.mark(KnownMark.LLM_CONNECTED)) as events:
            trace.mark(KnownMark.LLM_FIRST_BYTE)
            yield from reply.pieces(chunks(events, server.stream_end))
        if reply.shortcoming:
            trace.text("shortcoming", server.hidden(reply.shortcoming))

    def close(self) -> None:
        """Close the connection."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def weights(self) -> tuple[Weights, ...]:
        """The model that was requested; only the server knows where its weights come from."""
        return (Weights("llm", "none", f"{self._model}, served by {self._url}", "not loaded here"),)

    def facts(self) -> Mapping[str, OptionValue]:
        """The model, what the server accepts, and how it shows thoughts."""
        return {
            "llm_model": self._model,
            "llm_request": "; ".join(self._accepted.changes) or "as documented",
            "llm_thoughts": "closed without being opened" if self._unopened else "in tags or fields, if any",
        }

    def servers(self) -> tuple[str, ...]:
        """The server."""
        return (self._url,)

    def notices(self) -> tuple[str, ...]:
        """What the server did not accept."""
        if not self._accepted.changes:
            return ()
        return (
            f"its server refused a part of the request: {'; '.join(self._accepted.changes)}. Its own settings apply to "
            "what is not sent. Compare it only with systems that were asked for the same.",
        )

    def _wanted(self, text: str, longest: int) -> Body:
        """The documented request."""
        settings = self.settings
        fewest = min(settings.whole("llm-min-tokens"), longest)
        return {
            "model": self._model,
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

    def _negotiated(self) -> Accepted:
        """What the server accepts, found with replies of one token. Raises `ServerError` if it accepts nothing."""
        try:
            return negotiate(self._warm_up, self._wanted(TRIAL, 1))
        except ServerError as error:
            if "max_" not in str(error):
                raise
        # Some models need room for their thoughts, and refuse to begin without.
        return negotiate(self._warm_up, self._wanted(TRIAL, self.settings.whole("llm-max-tokens")))

    def _warm_up(self, body: Body) -> None:
        from firstpacket.pipelines.cascade.llm.openai.reply import chunks

        with self._ready().chat(body, Cancellation()) as events:
            for _ in chunks(events, "close"):
                pass

    def _try_a_reply(self) -> None:
        """Read a whole reply, to learn how thoughts and the stream's end look. Its failure says nothing of turns."""
        own = self.settings.whole("llm-max-tokens")
        for longest in (max(TRIAL_TOKENS, own), own):
            try:
                self._trial(longest)
            except ServerError:  # perhaps more than the server's context has room for
                continue
            except TurnCancelled:
                pass
            return

    def _trial(self, longest: int) -> None:
        """Raises `ServerError`, and `TurnCancelled` if it takes too long."""
        from firstpacket.pipelines.cascade.llm.openai.reply import chunks

        server, thoughts, cancellation = self._ready(), Thoughts(), Cancellation()
        finished = done = False
        timer = _limit(cancellation, TRIAL_S)
        try:
            with server.chat(self._accepted.body(self._wanted(TRIAL, longest)), cancellation) as events:
                for chunk in chunks(events, "close"):
                    thoughts.push(chunk.content)
                    if chunk.finish and not finished:
                        finished, timer = True, _again(timer, cancellation)
                done, timer = True, _again(timer, cancellation)
        finally:
            timer.cancel()
            self._unopened = thoughts.closed_unopened
            if cancellation.cancelled and (finished or done):
                server.stream_end = "done" if done else "finish"

    def _ready(self) -> Server:
        if self._server is None:
            raise RuntimeError("call load() first")
        return self._server


def _limit(cancellation: Cancellation, seconds: float) -> Timer:
    timer = Timer(seconds, cancellation.cancel)
    timer.daemon = True
    timer.start()
    return timer


def _again(timer: Timer, cancellation: Cancellation) -> Timer:
    """Another limit in place of the first one: the reply is complete."""
    timer.cancel()
    return _limit(cancellation, END_S)


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
