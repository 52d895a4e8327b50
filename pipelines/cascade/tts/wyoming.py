"""A voice behind a Wyoming server, as Home Assistant uses it: wyoming-piper and its like.

A phrase is one request. Servers that take text in parts (`supports_synthesize_streaming`) get it the way Home Assistant
sends it, and may answer with several stretches of audio, one for each sentence. Chunks are passed on as they come.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from firstpacket.bench.pipeline import Declaration, Option, OptionValue, Samples, Settings, Stage, Weights
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.engines import TTS
from firstpacket.pipelines.remote.wyoming.address import address
from firstpacket.pipelines.remote.wyoming.audio import Audio
from firstpacket.pipelines.remote.wyoming.client import Client
from firstpacket.pipelines.remote.wyoming.info import Program
from firstpacket.pipelines.remote.wyoming.protocol import Event

PORT = 10200
AUDIO = ("audio-start", "audio-chunk", "audio-stop")


class WyomingTTS(TTS):
    """Has a server speak; nothing is retried."""

    declaration = Declaration(
        name="wyoming",
        summary="Any voice that speaks Wyoming, Home Assistant's protocol, such as wyoming-piper.",
        stages=(Stage("tts", "speak", "tts"),),
        options=(
            Option("tts-uri", f"tcp://127.0.0.1:{PORT}", "address of the server: tcp://HOST:PORT or unix:///PATH"),
            Option("tts-voice", "", "voice name; empty: the server's own choice"),
            Option("tts-speaker", "", "speaker of a voice that has several"),
            Option("tts-language", "", "language, where no voice is named"),
            Option("tts-streaming", True, "send text in parts to servers that take it so, as Home Assistant does"),
            Option("tts-timeout", 30.0, "timeout for connecting and between events, s"),
        ),
        needs_server=True,
    )

    def __init__(self, settings: Settings) -> None:
        """Raises `UsageError` for an address that is none."""
        super().__init__(settings)
        uri = address(settings.text("tts-uri"), "tts-uri", PORT)
        self._client = Client(uri, "tts", settings.number("tts-timeout"))
        self._program: Program | None = None

    def load(self) -> None:
        """Let the server describe itself. Raises `UsageError` if it has no voice, or none of that name, and
        `WyomingError` if it is not there."""
        self._program = self._client.load(("tts",), self.settings.text("tts-voice"), "tts-voice")

    def prepare(self, trace: Trace) -> None:
        """Connect, unless the server left the connection of the turn before open."""
        self._client.prepare(trace)

    def speak(self, text: str, trace: Trace) -> Iterator[tuple[Samples, int]]:
        """Yield the server's chunks.

        Raises `WyomingError` with the reason in one line, also for audio that cannot be played, `TurnEnded` and
        `TurnCancelled`.
        """
        streams, audio, silent = self._streams, Audio(), True
        end = "synthesize-stopped" if streams else "audio-stop"
        with self._client.request(trace, "for speech") as connection:
            for event in self._requests(text, streams):
                connection.send(event, trace)
            while True:
                event = connection.receive(trace).event
                chunk = audio.take(event) if event.type in AUDIO else None
                if chunk is not None:
                    silent = False
                    yield chunk
                if event.type == end:
                    break
        if silent:
            trace.text("shortcoming", "the server sent no audio")

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    def weights(self) -> tuple[Weights, ...]:
        """The voice that was named; only the server knows where its weights come from."""
        voice = self.settings.text("tts-voice") or "the voice that it chooses"
        return (Weights("tts", "none", f"{voice}, served by {self._client.address}", "not loaded here"),)

    def facts(self) -> Mapping[str, OptionValue]:
        """What the server says of itself, and whether text is sent in parts."""
        found = self._program.facts("tts") if self._program is not None else {}
        return {**found, "tts_text": "in parts" if self._streams else "whole"}

    def servers(self) -> tuple[str, ...]:
        """The server."""
        return (self._client.address.uri,)

    @property
    def _streams(self) -> bool:
        return self._program is not None and self._program.streams and self.settings.switch("tts-streaming")

    def _requests(self, text: str, streams: bool) -> tuple[Event, ...]:
        voice = self._voice()
        whole = Event("synthesize", {"text": text, **voice})
        if not streams:
            return (whole,)
        # The protocol demands `synthesize`, too; a server that took the parts skips it.
        parts = Event("synthesize-start", voice), Event("synthesize-chunk", {"text": text})
        return (*parts, whole, Event("synthesize-stop"))

    def _voice(self) -> dict[str, Any]:
        name, speaker, language = (self.settings.text(f"tts-{field}") for field in ("voice", "speaker", "language"))
        if name:
            return {"voice": {"name": name, **({"speaker": speaker} if speaker else {})}}
        return {"voice": {"language": language}} if language else {}
