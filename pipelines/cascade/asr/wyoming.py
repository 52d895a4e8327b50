"""A recogniser behind a Wyoming server, as Home Assistant uses it: wyoming-faster-whisper and its like.

Audio is sent as the microphone delivers it. The spans `asr` are the sending, and the wait for the transcript after the
end of speech; what the server does while the user speaks is not seen. The end of the turn is `audio-stop`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from firstpacket.bench.pipeline import (
    SAMPLE_RATE,
    Declaration,
    Option,
    OptionValue,
    Settings,
    Speech,
    Stage,
    TurnEnded,
    Weights,
)
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.engines import ASR
from firstpacket.pipelines.pcm import pcm16
from firstpacket.pipelines.remote.wyoming.address import address
from firstpacket.pipelines.remote.wyoming.audio import format_of
from firstpacket.pipelines.remote.wyoming.client import Client
from firstpacket.pipelines.remote.wyoming.connection import Received
from firstpacket.pipelines.remote.wyoming.info import Program
from firstpacket.pipelines.remote.wyoming.protocol import Event, joined

PORT = 10300
CHUNK = 1600
"""Samples in one event, where more than a frame of the microphone is there: 100 ms."""
FORMAT = format_of(SAMPLE_RATE)
MOST_OF_PARTIALS = 1 << 23
"""Characters of partial transcripts that are kept, since each repeats what came before; speech of minutes has fewer."""


class WyomingASR(ASR):
    """Sends speech to a server; a turn that fails there is a failed turn, nothing is retried."""

    declaration = Declaration(
        name="wyoming",
        summary="Any recogniser that speaks Wyoming, Home Assistant's protocol, such as wyoming-faster-whisper.",
        stages=(Stage("asr", "listen", "asr"),),
        options=(
            Option("asr-uri", f"tcp://127.0.0.1:{PORT}", "address of the server: tcp://HOST:PORT or unix:///PATH"),
            Option("asr-model", "", "model name; empty: the server's own choice"),
            Option("asr-language", "", "language to recognise; empty: that of the recording"),
            Option("asr-timeout", 30.0, "timeout for connecting and between events, s"),
        ),
        starts_before_speech_ends=True,
        needs_server=True,
    )

    def __init__(self, settings: Settings) -> None:
        """Raises `UsageError` for an address that is none."""
        super().__init__(settings)
        self._client = Client(address(settings.text("asr-uri"), "asr-uri", PORT), "asr", settings.number("asr-timeout"))
        self._program: Program | None = None

    def load(self) -> None:
        """Let the server describe itself. Raises `UsageError` if it has no recogniser or model of the name, and
        `WyomingError` if it is not there."""
        self._program = self._client.load(("asr",), self.settings.text("asr-model"), "asr-model")

    def prepare(self, trace: Trace) -> None:
        """Connect, unless the server left the connection of the turn before open."""
        self._client.prepare(trace)

    def transcribe(self, speech: Speech, trace: Trace) -> str:
        """The server's transcript; partial ones are recorded if it sends them.

        Raises `WyomingError` with the reason in one line, `TurnEnded` and `TurnCancelled`.
        """
        transcript, sent = _Transcript(trace), 0
        with self._client.request(trace, "for the transcript") as connection:
            with trace.stage("asr"):
                connection.send(Event("transcribe", self._asked(speech.language)), trace)
                connection.send(Event("audio-start", FORMAT), trace)
            for frame in speech.frames():
                due_ns = trace.clock.now_ns()
                with trace.stage("asr"):
                    # Checked before the frame is sent: only a later frame shows that speech continued.
                    transcript.take(connection.arrived(trace))
                    if transcript.final is not None:
                        raise TurnEnded("split", "the server ended the utterance itself, while the user was speaking")
                    for start in range(0, len(frame), CHUNK):
                        chunk = pcm16(frame[start : start + CHUNK]).tobytes()
                        position_ns = sent * 1_000_000_000 // SAMPLE_RATE
                        connection.send(Event("audio-chunk", FORMAT, chunk), trace, due_ns, position_ns)
                        sent += len(chunk) // 2
            with trace.stage("asr"):
                connection.send(Event("audio-stop"), trace)
                while transcript.final is None:
                    transcript.take([connection.receive(trace)])
        if not transcript.final.strip():
            trace.text("shortcoming", "the server's transcript is empty")
        return transcript.final

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    def weights(self) -> tuple[Weights, ...]:
        """The model that was named; only the server knows where its weights come from."""
        model = self.settings.text("asr-model") or "the model that it chooses"
        return (Weights("asr", "none", f"{model}, served by {self._client.address}", "not loaded here"),)

    def facts(self) -> Mapping[str, OptionValue]:
        """What the server says of itself."""
        return self._program.facts("asr") if self._program is not None else {}

    def servers(self) -> tuple[str, ...]:
        """The server."""
        return (self._client.address.uri,)

    def _asked(self, spoken: str) -> dict[str, str]:
        asked = {
            "name": self.settings.text("asr-model"),
            "language": self.settings.text("asr-language") or spoken,
        }
        return {name: value for name, value in asked.items() if value}


class _Transcript:
    """The transcript as it comes: whole, or in pieces of which the whole follows, too."""

    def __init__(self, trace: Trace) -> None:
        self.final: str | None = None
        self._said, self._pieces = "", 0
        self._trace = trace

    def take(self, events: Iterable[Received]) -> None:
        """Take in events. Raises `WyomingError` for one without text, and for too much."""
        for received in events:
            event = received.event
            if event.type == "transcript-chunk":
                self._said, self._pieces = joined(self._said, event.text()), self._pieces + 1
                if self._pieces * len(self._said) <= MOST_OF_PARTIALS:
                    self._trace.text("partial", self._said, received.at_ns)
            elif event.type == "transcript":
                self.final = event.text()
            elif event.type == "transcript-stop" and self.final is None:
                self.final = self._said
