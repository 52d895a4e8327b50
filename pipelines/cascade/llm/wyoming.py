"""An agent behind a Wyoming server: a handle service, which answers a text, or an intent service, which recognises what
is meant and may have a text for it.

The wait is the host's time in the spans `llm.prefill` (up to the first text) and `llm.decode`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from firstpacket.bench.pipeline import Declaration, Option, OptionValue, Settings, Stage, Weights
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.engines import LLM
from firstpacket.pipelines.remote.wyoming.address import address
from firstpacket.pipelines.remote.wyoming.client import Client
from firstpacket.pipelines.remote.wyoming.info import Program, Service
from firstpacket.pipelines.remote.wyoming.protocol import Event, joined, shown

PORT = 10500
SERVICES: dict[str, tuple[Service, ...]] = {
    "auto": ("handle", "intent"),
    "handle": ("handle",),
    "intent": ("intent",),
}


class WyomingLLM(LLM):
    """Has a server answer; nothing is retried."""

    declaration = Declaration(
        name="wyoming",
        summary="Any agent that speaks Wyoming, Home Assistant's protocol: a handle or an intent service.",
        stages=(Stage("llm.prefill", "think", "llm"), Stage("llm.decode", "think", "llm")),
        options=(
            Option("llm-uri", f"tcp://127.0.0.1:{PORT}", "address of the server: tcp://HOST:PORT or unix:///PATH"),
            Option("llm-service", "auto", "service to use; auto: handle, or else intent", choices=tuple(SERVICES)),
            Option("llm-language", "", "language of the text, for a handle service; empty: not said"),
            Option("llm-timeout", 30.0, "timeout for connecting and between events, s"),
        ),
        needs_server=True,
    )

    def __init__(self, settings: Settings) -> None:
        """Raises `UsageError` for an address that is none."""
        super().__init__(settings)
        uri = address(settings.text("llm-uri"), "llm-uri", PORT)
        self._client = Client(uri, "llm", settings.number("llm-timeout"))
        self._program: Program | None = None

    def load(self) -> None:
        """Let the server describe itself. Raises `UsageError` if it has no such service, and `WyomingError` if it is
        not there."""
        self._program = self._client.load(SERVICES[self.settings.text("llm-service")])

    def prepare(self, trace: Trace) -> None:
        """Connect, unless the server left the connection of the turn before open."""
        self._client.prepare(trace)

    def reply(self, text: str, trace: Trace) -> Iterator[str]:
        """Yield the answer, in pieces if the server sends it so. Yields nothing if it has none, and notes why.

        Raises `WyomingError` with the reason in one line, `TurnEnded` and `TurnCancelled`.
        """
        answer = _Answer()
        with self._client.request(trace, "for an answer") as connection:
            connection.send(self._request(text), trace)
            while not answer.is_complete:
                if piece := answer.take(connection.receive(trace).event):
                    yield piece
        if not answer.said.strip():
            trace.text("shortcoming", answer.why_none)

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    def weights(self) -> tuple[Weights, ...]:
        """The program that answers; only the server knows whether it has weights."""
        program = self._program.name if self._program is not None else "an agent"
        return (Weights("llm", "none", f"{program}, served by {self._client.address}", "not loaded here"),)

    def facts(self) -> Mapping[str, OptionValue]:
        """What the server says of itself."""
        return self._program.facts("llm") if self._program is not None else {}

    def servers(self) -> tuple[str, ...]:
        """The server."""
        return (self._client.address.uri,)

    def _request(self, text: str) -> Event:
        if self._program is not None and self._program.service == "intent":
            return Event("recognize", {"text": text})
        language = self.settings.text("llm-language")
        return Event("transcript", {"text": text, **({"language": language} if language else {})})


class _Answer:
    """The answer as it comes: whole, or in pieces of which the whole follows, too; of several intents, all texts."""

    def __init__(self) -> None:
        self.said = ""
        self.is_complete = False
        self.why_none = "the server's answer is empty"
        self._several = False
        """Whether further intents may follow."""

    def take(self, event: Event) -> str:
        """The text that the event adds. Raises `WyomingError` for one without its text, and for too much."""
        text = self._text(event)
        self.said = joined(self.said, text)
        return text

    def _text(self, event: Event) -> str:
        match event.type:
            case "handled-chunk":
                return event.text()
            case "handled":
                self.is_complete = True
                return "" if self.said else event.optional_text()
            case "handled-stop" | "intents-stop":
                self.is_complete = True
            case "intents-start":
                self._several = True
            case "intent":
                return self._intent(event)
            case "not-handled" | "not-recognized":
                self.is_complete = True
                what = "handle" if event.type == "not-handled" else "recognise"
                said = event.optional_text()
                self.why_none = f"the server did not {what} the request{f': {shown(said)}' if said else ''}"
        return ""

    def _intent(self, event: Event) -> str:
        self.is_complete = not self._several
        text, name = event.optional_text(), event.text("name")
        if not text and not self.said:
            self.why_none = f"the server recognised the intent {shown(name)}, for which it has no text"
        return f" {text}" if text and self.said else text
