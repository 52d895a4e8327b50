"""Any server that speaks OpenAI's chat completions: vLLM, SGLang, llama.cpp, TGI, `transformers serve`, or a paid one.

Every turn marks `llm.first_byte` (the answer's head is there), `llm.first_token` (the first token, be it thought aloud,
white space or answer) and `llm.first_answer_token` (the first text of the answer); `llm.connected` besides, if the
connection of the turn before had been closed. A mark of something that did not come is absent.
The wait is the host's time in the spans `llm.prefill` (up to the first token) and `llm.decode`. What one event holds is
one piece, be it one token or several: that is the server's choice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from firstpacket.bench.pipeline import Declaration, OptionValue, Settings, Stage, Weights
from firstpacket.bench.timing.trace import Trace
from firstpacket.bench.vocabulary import KnownMark
from firstpacket.pipelines.cascade.engines import LLM
from firstpacket.pipelines.cascade.llm import options
from firstpacket.pipelines.cascade.llm.openai.fields import documented
from firstpacket.pipelines.cascade.llm.openai.thoughts import Thoughts
from firstpacket.pipelines.optional import imported
from firstpacket.pipelines.remote.http import options as remote
from firstpacket.pipelines.remote.problems import explained_load, turn_outcomes

if TYPE_CHECKING:
    from firstpacket.pipelines.cascade.llm.openai.loading import Learned
    from firstpacket.pipelines.remote.http.server import Server

ENDPOINT = "/chat/completions"


class OpenAIServer(LLM):
    """Sends requests to a server; nothing is retried, so a turn that fails there is a failed turn."""

    declaration = Declaration(
        name="openai",
        summary="Any server with an OpenAI-compatible streaming chat API; keys come from the environment only.",
        stages=(Stage("llm.prefill", "think", "llm"), Stage("llm.decode", "think", "llm")),
        options=(
            *remote.options("llm"),
            options.MAX_TOKENS,
            options.MIN_TOKENS,
            options.TEMPERATURE,
            options.TOP_P,
        ),
        requires=(remote.REQUIRES,),
        needs_server=True,
    )

    def __init__(self, settings: Settings) -> None:
        """Raises `UsageError` for a URL that would put a secret into the records."""
        super().__init__(settings)
        self._url = remote.url_from(settings, "llm", ENDPOINT)
        self._server: Server | None = None
        self._learned: Learned | None = None

    def load(self) -> None:
        """Connect, find out what the server accepts, and read a reply: the server may load its model only then.

        Raises `UsageError`, `MissingDependency`, or `ServerError` if the server is not there or refuses.
        """
        options.check(self.settings)
        access = remote.access_from(self.settings, "llm", ENDPOINT)
        imported("httpx2", "openai", "The language model engine openai")
        from firstpacket.pipelines.cascade.llm.openai.loading import learn
        from firstpacket.pipelines.remote.http.server import Server

        self._server = Server(access, "llm")
        with explained_load("llm-url", "llm-model"):
            self._learned = learn(self._server, self.settings, self.settings.text("llm-model"))

    def prepare(self, trace: Trace) -> None:
        """Make the connection, if the last one has ended. Raises `ServerError` and `TurnCancelled`."""
        self._ready()[0].prepare(trace)

    def reply(self, text: str, trace: Trace) -> Iterator[str]:
        """Yield the answer as it arrives; thoughts before it give empty pieces. Yields nothing if the server's reply is
        empty, and notes why.

        Raises `TurnEnded` or `ServerError` with the reason in one line, and `TurnCancelled` with what it was waiting
        for.
        """
        from firstpacket.pipelines.cascade.llm.openai.reply import Reply, asked
        from firstpacket.pipelines.remote.http.chat import chunks

        server, learned = self._ready()
        longest = self.settings.whole("llm-max-tokens")
        body = learned.accepted.body(documented(self.settings, learned.model, text, longest))
        reply = Reply(trace, Thoughts(learned.trial.unopened), server.secret_filter(), longest)
        with turn_outcomes(), asked(server, body, trace) as answer:
            trace.mark(KnownMark.LLM_FIRST_BYTE, at_ns=answer.at_ns)
            yield from reply.pieces(chunks(answer.events(), learned.trial.ends_at_finish))
        if reply.shortcoming:
            trace.text("shortcoming", server.hidden(reply.shortcoming))

    def close(self) -> None:
        """Close the connection."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def weights(self) -> tuple[Weights, ...]:
        """The model that was requested; only the server knows where its weights come from."""
        _, learned = self._ready()
        return (Weights("llm", "none", f"{learned.model}, served by {self._url}", "not loaded here"),)

    def facts(self) -> Mapping[str, OptionValue]:
        """The model, what the server accepts, how it shows thoughts, and what it says of itself."""
        _, learned = self._ready()
        return {
            "llm_model": learned.model,
            "llm_request": "; ".join(learned.accepted.changes) or "as documented",
            "llm_thoughts": "closed without being opened" if learned.trial.unopened else "in tags or fields, if any",
            **learned.about,
            **learned.trial.facts,
        }

    def servers(self) -> tuple[str, ...]:
        """The server."""
        return (self._url,)

    def notices(self) -> tuple[str, ...]:
        """What the server did not accept, and whether its replies come at once."""
        _, learned = self._ready()
        refused = (
            f"its server refused a part of the request: {'; '.join(learned.accepted.changes)}. Its own settings apply "
            "to what is not sent. Compare it only with systems that were asked for the same."
        )
        at_once = (
            "the language model's server did not stream: the first and the last event of a reply came together, so the "
            "voice waits for the whole reply. The server or a proxy may be the reason."
        )
        return (*([refused] if learned.accepted.changes else []), *([] if learned.trial.streamed else [at_once]))

    def _ready(self) -> tuple[Server, Learned]:
        if self._server is None or self._learned is None:
            raise RuntimeError("call load() first")
        return self._server, self._learned
