"""Any server with OpenAI's chat completions that takes speech and speaks: gpt-audio, vLLM-Omni, gateways.

The whole utterance is uploaded when it is over, so the end of speech is found here, as for a cascade. Stages:

    endpoint   waiting for the end of speech
    uplink     the request is made and written, to its last byte
    wait       everything until the first audio of the reply was read: the server's work, and both ways
    reply      from there to the packet: decoding, on this side

It marks `chat.first_byte` and `chat.first_audio`; `chat.connected` besides, if a connection had to be made in the turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from firstpacket.bench.errors import UsageError
from firstpacket.bench.pipeline import (
    SAMPLE_RATE,
    Declaration,
    Option,
    OptionValue,
    Packet,
    Pipeline,
    Samples,
    Settings,
    Speech,
    Stage,
    Weights,
)
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.endpointing import Endpointer, with_endpointing
from firstpacket.pipelines.optional import imported
from firstpacket.pipelines.remote.chat_audio.request import FORMS, INPUTS, RequestSettings, request
from firstpacket.pipelines.remote.http import options as remote
from firstpacket.pipelines.remote.http.forms import Form, accepted
from firstpacket.pipelines.remote.http.sound import HIGHEST_RATE, LOWEST_RATE
from firstpacket.pipelines.remote.problems import explained_load, turn_outcomes

if TYPE_CHECKING:
    from firstpacket.pipelines.remote.chat_audio.reply import Reply
    from firstpacket.pipelines.remote.http.answer import Answer
    from firstpacket.pipelines.remote.http.server import Content, Server

ENDPOINT = "/chat/completions"
UPLINK, WAIT, REPLY = "uplink", "wait", "reply"
LONGEST_EVENT = 1 << 25
"""Bytes: all audio may be in one event."""
TRIAL = np.zeros(SAMPLE_RATE, np.float32)
"""What is sent at loading: a second of silence."""
NOT_KNOWN = (
    "chat completions do not include what the server heard: a fast reply to a misunderstood question looks like any "
    "other. Judge the answers, too (docs/quality.md)."
)

_DECLARATION = Declaration(
    name="chat-audio",
    kind="remote",
    summary="Any server with OpenAI's chat completions with audio in and out; keys come from the environment only.",
    stages=(Stage(UPLINK, "move"), Stage(WAIT, "opaque"), Stage(REPLY, "move")),
    options=(
        *remote.options(""),
        Option("voice", "alloy", "the server's name of a voice"),
        Option("rate", 24000, "sample rate of audio that comes without a header, Hz"),
        Option("input", INPUTS[0], "how the request carries speech", choices=INPUTS),
        Option("instructions", "", "instructions to the model; empty: none"),
        Option("max-tokens", 0, "maximum tokens of a reply; 0: the server's choice"),
    ),
    requires=(remote.REQUIRES,),
    needs_server=True,
)


class ChatAudio(Pipeline):
    """Sends utterances to a server; nothing is retried, so a turn that fails there is a failed turn."""

    declaration = with_endpointing(_DECLARATION, {})

    @classmethod
    def declare(cls, chosen: Mapping[str, OptionValue]) -> Declaration:
        """The declaration, which depends on what ends the user's turn."""
        return with_endpointing(_DECLARATION, chosen)

    def __init__(self, settings: Settings) -> None:
        """Raises `UsageError` for a URL that would put a secret into the records."""
        super().__init__(settings)
        self._url = remote.url_from(settings, "", ENDPOINT)
        self._endpointer = Endpointer(settings)
        self._server: Server | None = None
        self._request_settings: RequestSettings | None = None
        self._form: Form = {}
        self._facts: dict[str, OptionValue] = {}
        self._notices: tuple[str, ...] = ()

    def load(self) -> None:
        """Connect, and let it answer silence: what the server takes, and how it sends audio, is known only then.

        Raises `UsageError`, `MissingDependency`, or `ServerError` if the server is not there or refuses.
        """
        rate, longest = self.settings.whole("rate"), self.settings.whole("max-tokens")
        if not LOWEST_RATE <= rate <= HIGHEST_RATE:
            raise UsageError(f"rate is {rate} Hz, but it must lie between {LOWEST_RATE} and {HIGHEST_RATE}.")
        if longest < 0:
            raise UsageError("max-tokens must not be negative; 0 leaves it to the server.")
        access = remote.access_from(self.settings, "", ENDPOINT)
        self._endpointer.load()
        imported("httpx2", "openai", "The pipeline chat-audio")
        from firstpacket.pipelines.remote.http.server import Server

        self._server = server = Server(access, "chat")
        with explained_load("url", "model", "voice", "input"):
            model, _ = server.chosen_model(self.settings.text("model"))
            text = self.settings.text
            self._request_settings = RequestSettings(model, text("voice"), text("instructions"), text("input"), longest)
            self._form = accepted(self._try, FORMS)

    def prepare(self, trace: Trace) -> None:
        """Make the connection, if the last one has ended. Raises `ServerError` and `TurnCancelled`."""
        self._ready()[0].prepare(trace)

    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
        """Send the utterance, and yield the reply as it arrives.

        Raises `TurnEnded` or `ServerError` with the reason in one line, and `TurnCancelled`.
        """
        from firstpacket.pipelines.remote.chat_audio.reply import Reply

        server, _ = self._ready()
        frames = list(self._endpointer.heard(speech, trace).frames())
        due_ns = trace.clock.now_ns()
        body = self._body(np.concatenate([*frames, np.zeros(0, np.float32)]), self._form)
        reply = Reply(self.settings.whole("rate"))
        try:
            with turn_outcomes(), server.exchange("POST", f"{server.url}{ENDPOINT}", trace, body, due_ns) as answer:
                trace.mark("chat.first_byte", at_ns=answer.at_ns)
                trace.record(UPLINK, due_ns, answer.written_ns)
                yield from self._packets(answer, reply, trace)
        finally:
            self._note(reply, trace)

    def close(self) -> None:
        """Close the connection."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def weights(self) -> tuple[Weights, ...]:
        """The model that was requested; only the server knows where its weights come from."""
        _, request_settings = self._ready()
        return (Weights("all", "none", f"{request_settings.model}, served by {self._url}", "not loaded here"),)

    def facts(self) -> Mapping[str, OptionValue]:
        """The model, what was asked for, and how its audio comes."""
        return self._facts

    def servers(self) -> tuple[str, ...]:
        """The server."""
        return (self._url,)

    def notices(self) -> tuple[str, ...]:
        """What cannot be known here, and whether the reply comes at once, or without audio."""
        return self._notices

    def _try(self, form: Form) -> None:
        from firstpacket.pipelines.remote.chat_audio.reply import Reply
        from firstpacket.pipelines.remote.http.recording import came_at_once

        server, request_settings = self._ready()
        trace, reply = Trace(MonotonicClock()), Reply(self.settings.whole("rate"))
        with server.exchange("POST", f"{server.url}{ENDPOINT}", trace, self._body(TRIAL, form)) as answer:
            for _ in self._packets(answer, reply, trace):
                pass
        streamed = not came_at_once(trace.finish().messages)
        self._facts = {
            "model": request_settings.model,
            "voice": request_settings.voice,
            "reply_asked": str(form["format"]),
            "reply_format": reply.format or "no audio",
            "reply_streamed": streamed,
            "heard": "not known",
        }
        silent = f"its reply at loading had no audio: {server.hidden(reply.shortcoming)}." if reply.shortcoming else ""
        at_once = "" if streamed else "its server did not stream: the reply came all at once. It or a proxy buffers."
        self._notices = (NOT_KNOWN, *filter(None, (silent, at_once)))

    def _body(self, samples: Samples, form: Form) -> Content:
        from firstpacket.pipelines.remote.http.server import Content

        return Content(json=request(self._ready()[1], form, samples))

    def _packets(self, answer: Answer, reply: Reply, trace: Trace) -> Iterator[Packet]:
        from firstpacket.pipelines.remote.http.chat import chunks

        done_ns = 0
        for sound in reply.sounds(chunks(answer.events(LONGEST_EVENT))):
            if not done_ns:
                trace.mark("chat.first_audio", at_ns=sound.at_ns)
                trace.record(WAIT, answer.written_ns, sound.at_ns)
            begun_ns, done_ns = max(sound.at_ns, done_ns), trace.clock.now_ns()
            trace.record(REPLY, begun_ns, done_ns)
            yield Packet(sound.samples, sound.rate, trace.hand_off(REPLY))
        if not done_ns:
            trace.record(WAIT, answer.written_ns, trace.clock.now_ns())

    def _note(self, reply: Reply, trace: Trace) -> None:
        server, _ = self._ready()
        if text := reply.spoken or reply.written:
            trace.text("reply", server.hidden(text))
        if reply.usage is not None:
            trace.usage(reply.usage.prompt, reply.usage.reply, reply.usage.cached)
        if reply.shortcoming:
            trace.text("shortcoming", server.hidden(reply.shortcoming))

    def _ready(self) -> tuple[Server, RequestSettings]:
        if self._server is None or self._request_settings is None:
            raise RuntimeError("call load() first")
        return self._server, self._request_settings
