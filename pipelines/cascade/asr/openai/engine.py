"""Any server with OpenAI's `/v1/audio/transcriptions`: OpenAI, vLLM, speaches, LocalAI, `transformers serve`, gateways.

The whole utterance is uploaded when it is over, so this is an offline recogniser: a server cannot work while the user
speaks. The span `asr` has all of it: the form that is made, the upload, the server's work. The trace's messages say
when the request's first and last byte were written. It marks `asr.first_byte`, and `asr.connected` if a connection had
to be made in the turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from firstpacket.bench.pipeline import (
    SAMPLE_RATE,
    Declaration,
    Option,
    OptionValue,
    Samples,
    Settings,
    Speech,
    Stage,
    Weights,
)
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.engines import ASR
from firstpacket.pipelines.optional import imported
from firstpacket.pipelines.remote.http import options as remote
from firstpacket.pipelines.remote.http.sound import wav
from firstpacket.pipelines.remote.problems import explained_load, turn_outcomes

if TYPE_CHECKING:
    from firstpacket.pipelines.cascade.asr.openai.transcript import Transcript
    from firstpacket.pipelines.remote.http.server import Server

ENDPOINT = "/audio/transcriptions"
TRIAL = np.zeros(SAMPLE_RATE, np.float32)
"""What is sent at loading: a second of silence."""
OFF, AUTO = "off", "auto"


class OpenAIRecogniser(ASR):
    """Sends utterances to a server; nothing is retried, so a turn that fails there is a failed turn."""

    declaration = Declaration(
        name="openai",
        summary="Any server with OpenAI's transcription endpoint; keys come from the environment only.",
        stages=(Stage("asr", "listen", "asr"),),
        options=(
            *remote.options("asr"),
            Option("asr-language", "", "language of the speech, for example en; empty: that given by the corpus"),
            Option(
                "asr-stream",
                OFF,
                "the transcript in pieces: off, or on with its dialect, recognised (auto) or named: openai, chat "
                "(vLLM), words (transformers serve)",
                choices=(OFF, AUTO, "openai", "chat", "words"),
            ),
        ),
        requires=(remote.REQUIRES,),
        needs_server=True,
    )

    def __init__(self, settings: Settings) -> None:
        """Raises `UsageError` for a URL that would put a secret into the records."""
        super().__init__(settings)
        self._url = remote.url_from(settings, "asr", ENDPOINT)
        self._server: Server | None = None
        self._model = ""
        self._dialect = ""

    def load(self) -> None:
        """Connect, and let it transcribe silence: the server may load its model only then.

        Raises `UsageError`, `MissingDependency`, or `ServerError` if the server is not there or refuses.
        """
        access = remote.access_from(self.settings, "asr", ENDPOINT)
        imported("httpx2", "openai", "The recogniser openai")
        from firstpacket.pipelines.remote.http.server import Server

        self._server = Server(access, "asr")
        with explained_load("asr-url", "asr-model", "asr-stream"):
            self._model, _ = self._server.chosen_model(self.settings.text("asr-model"))
            transcript = self._request(TRIAL, self.settings.text("asr-language"), Trace(MonotonicClock()))
        self._dialect = transcript.dialect

    def prepare(self, trace: Trace) -> None:
        """Make the connection, if the last one has ended. Raises `ServerError` and `TurnCancelled`."""
        self._ready().prepare(trace)

    def transcribe(self, speech: Speech, trace: Trace) -> str:
        """The server's transcript; partial ones are recorded if it sends them.

        Raises `TurnEnded` or `ServerError` with the reason in one line, and `TurnCancelled`.
        """
        frames = list(speech.frames())
        with trace.stage("asr"), turn_outcomes():
            samples = np.concatenate([*frames, np.zeros(0, np.float32)])
            transcript = self._request(samples, self.settings.text("asr-language") or speech.language, trace)
        text = self._ready().hidden(transcript.text)
        if not text.strip():
            trace.text("shortcoming", "the recogniser's server returned no text")
        return text

    def close(self) -> None:
        """Close the connection."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def weights(self) -> tuple[Weights, ...]:
        """The model that was requested; only the server knows where its weights come from."""
        self._ready()
        return (Weights("asr", "none", f"{self._model}, served by {self._url}", "not loaded here"),)

    def facts(self) -> Mapping[str, OptionValue]:
        """The model, and how transcripts come."""
        self._ready()
        return {
            "asr_model": self._model,
            "asr_answers": self._dialect,
            "asr_upload": "at once, after the end of speech",
        }

    def servers(self) -> tuple[str, ...]:
        """The server."""
        return (self._url,)

    def notices(self) -> tuple[str, ...]:
        """Whether it ignored that a stream was asked for."""
        self._ready()
        if self.settings.text("asr-stream") == OFF or self._dialect != "json":
            return ()
        return (
            "the recogniser's server does not stream transcripts: it ignored asr-stream, and sent no partial ones. "
            "Leave asr-stream off.",
        )

    def _request(self, samples: Samples, language: str, trace: Trace) -> Transcript:
        from firstpacket.pipelines.cascade.asr.openai.transcript import Transcript
        from firstpacket.pipelines.remote.http.server import Content

        due_ns, server, stream = trace.clock.now_ns(), self._ready(), self.settings.text("asr-stream")
        language = language.split("-")[0].lower()
        sound = wav(samples, SAMPLE_RATE)
        content = Content(
            fields={
                "model": self._model,
                "response_format": "json",
                **({"language": language} if language else {}),
                **({} if stream == OFF else {"stream": "true"}),
            },
            files={"file": ("speech.wav", sound, "audio/wav")},
            audio_bytes=len(sound),
        )
        transcript = Transcript(
            AUTO if stream == OFF else stream,
            lambda text, at_ns: trace.text("partial", server.hidden(text), at_ns=at_ns),
        )
        with server.exchange("POST", f"{server.url}{ENDPOINT}", trace, content, due_ns) as answer:
            trace.mark("asr.first_byte", at_ns=answer.at_ns)
            transcript.read(answer)
        return transcript

    def _ready(self) -> Server:
        if self._server is None:
            raise RuntimeError("call load() first")
        return self._server
