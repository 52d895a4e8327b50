"""Any server with OpenAI's `/v1/audio/speech`: OpenAI, vLLM-Omni, speaches, Kokoro-FastAPI, LocalAI, gateways.

Every phrase is one request. It marks `tts.first_byte` (the answer's head is there; some servers send it before they
begin) and `tts.first_audio` (the first sample was read); `tts.connected` besides, if a connection had to be made in the
turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from firstpacket.bench.errors import UsageError
from firstpacket.bench.pipeline import Declaration, Option, OptionValue, Samples, Settings, Stage, Weights
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.engines import TTS
from firstpacket.pipelines.cascade.tts.openai.request import STREAMS, forms
from firstpacket.pipelines.optional import imported
from firstpacket.pipelines.remote.http import options as remote
from firstpacket.pipelines.remote.http.forms import Form, accepted
from firstpacket.pipelines.remote.http.sound import HIGHEST_RATE, LOWEST_RATE
from firstpacket.pipelines.remote.problems import explained_load, turn_outcomes

if TYPE_CHECKING:
    from firstpacket.pipelines.cascade.tts.openai.speech import AudioInfo, Chunk
    from firstpacket.pipelines.remote.http.server import Server

ENDPOINT = "/audio/speech"
TRIAL = "This is what a voice says before the first turn, long enough to come in several pieces."


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What loading showed."""

    model: str
    body: Form
    """The fields that say how the audio is sent."""
    info: AudioInfo
    streamed: bool


class OpenAIVoice(TTS):
    """Sends phrases to a server; nothing is retried, so a turn that fails there is a failed turn."""

    declaration = Declaration(
        name="openai",
        summary="Any server with OpenAI's speech endpoint; keys come from the environment only.",
        stages=(Stage("tts", "speak", "tts"),),
        options=(
            *remote.options("tts"),
            Option("tts-voice", "alloy", "the server's name of a voice"),
            Option("tts-rate", 24000, "sample rate of audio that comes without a header, Hz"),
            Option(
                "tts-stream",
                "audio",
                "how audio is asked for: as it is made (audio), in events (sse), or at once (off)",
                choices=tuple(STREAMS),
            ),
        ),
        requires=(remote.REQUIRES,),
        needs_server=True,
    )

    def __init__(self, settings: Settings) -> None:
        """Raises `UsageError` for a URL that would put a secret into the records."""
        super().__init__(settings)
        self._url = remote.url_from(settings, "tts", ENDPOINT)
        self._server: Server | None = None
        self._trial_result: TrialResult | None = None

    def load(self) -> None:
        """Connect, and let it speak a sentence: how the server sends audio, and at what rate, is known only then.

        Raises `UsageError`, `MissingDependency`, or `ServerError` if the server is not there or refuses.
        """
        rate = self.settings.whole("tts-rate")
        if not LOWEST_RATE <= rate <= HIGHEST_RATE:
            raise UsageError(f"tts-rate is {rate} Hz, but it must lie between {LOWEST_RATE} and {HIGHEST_RATE}.")
        access = remote.access_from(self.settings, "tts", ENDPOINT)
        imported("httpx2", "openai", "The voice openai")
        from firstpacket.pipelines.cascade.tts.openai.speech import AudioInfo
        from firstpacket.pipelines.remote.http.recording import came_at_once
        from firstpacket.pipelines.remote.http.server import Server

        self._server = server = Server(access, "tts")
        with explained_load("tts-url", "tts-model", "tts-voice"):
            model, _ = server.chosen_model(self.settings.text("tts-model"))

            def send(body: Form) -> None:
                info, trace = AudioInfo(), Trace(MonotonicClock())
                for _ in self._chunks(server, self._request_body(model, body, TRIAL), trace, info):
                    pass
                self._trial_result = TrialResult(model, body, info, not came_at_once(trace.finish().messages))

            accepted(send, forms(self.settings.text("tts-stream")))

    def prepare(self, trace: Trace) -> None:
        """Make the connection, if the last one has ended. Raises `ServerError` and `TurnCancelled`."""
        self._ready()[0].prepare(trace)

    def speak(self, text: str, trace: Trace) -> Iterator[tuple[Samples, int]]:
        """Samples as they arrive. Raises `TurnEnded` or `ServerError` with the reason, and `TurnCancelled`."""
        server, trial_result = self._ready()
        with turn_outcomes():
            for chunk in self._chunks(server, self._request_body(trial_result.model, trial_result.body, text), trace):
                yield chunk.samples, chunk.rate

    def close(self) -> None:
        """Close the connection."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def weights(self) -> tuple[Weights, ...]:
        """The model that was requested; only the server knows where its weights come from."""
        _, trial_result = self._ready()
        return (Weights("tts", "none", f"{trial_result.model}, served by {self._url}", "not loaded here"),)

    def facts(self) -> Mapping[str, OptionValue]:
        """The model, the voice, and how its audio comes."""
        _, trial_result = self._ready()
        return {
            "tts_model": trial_result.model,
            "tts_voice": self.settings.text("tts-voice"),
            "tts_request": ", ".join(f"{name}={value}" for name, value in trial_result.body.items()),
            "tts_format": f"{trial_result.info.format}{' in events' if trial_result.info.events else ''}",
            "tts_rate": trial_result.info.rate,
            "tts_streamed": trial_result.streamed,
        }

    def servers(self) -> tuple[str, ...]:
        """The server."""
        return (self._url,)

    def notices(self) -> tuple[str, ...]:
        """Whether its audio comes at once."""
        if self._ready()[1].streamed:
            return ()
        return (
            "the voice's server did not stream: the first and the last byte of a sentence came together, so its first "
            "sound waits for the whole phrase. The server, its format or a proxy may be the reason (tts-stream).",
        )

    def _request_body(self, model: str, body: Form, text: str) -> dict[str, Any]:
        return {"model": model, "input": text, "voice": self.settings.text("tts-voice"), **body}

    def _chunks(
        self, server: Server, body: dict[str, Any], trace: Trace, info: AudioInfo | None = None
    ) -> Iterator[Chunk]:
        from firstpacket.pipelines.cascade.tts.openai.speech import chunks
        from firstpacket.pipelines.remote.http.server import Content

        with server.exchange("POST", f"{server.url}{ENDPOINT}", trace, Content(json=body)) as answer:
            trace.mark("tts.first_byte", at_ns=answer.at_ns)
            for number, chunk in enumerate(chunks(answer, self.settings.whole("tts-rate"), info)):
                if number == 0:
                    trace.mark("tts.first_audio", at_ns=chunk.at_ns)
                yield chunk

    def _ready(self) -> tuple[Server, TrialResult]:
        if self._server is None or self._trial_result is None:
            raise RuntimeError("call load() first")
        return self._server, self._trial_result
