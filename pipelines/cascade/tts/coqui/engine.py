"""The voice engine `coqui`: VITS and XTTS through Coqui TTS, with dummy weights when no voice is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

from firstpacket.bench.errors import UsageError
from firstpacket.bench.pipeline import Declaration, Option, OptionValue, Requirement, Samples, Stage, Weights
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.engines import TTS
from firstpacket.pipelines.cascade.tts.process import HOP, OPTIONS, VoiceProcess, wants_own_process


class Coqui(TTS):
    """Neural voices; XTTS streams, VITS vocodes a phrase piece by piece."""

    declaration = Declaration(
        name="coqui",
        summary="Coqui TTS: VITS and XTTS (streamed); dummy weights unless a voice is given.",
        stages=(Stage("tts", "speak", "tts"), HOP),
        options=(
            Option(
                "tts-weights",
                "dummy",
                "dummy (VITS with seeded random weights) or published (implied by tts-model)",
                choices=("dummy", "published"),
            ),
            Option("tts-size", "small", "size of the dummy voice", choices=("small", "published")),
            Option("tts-model", "", "folder of a voice, or the Coqui name of one already downloaded"),
            Option("tts-speaker", "", "speaker, for voices with several"),
            Option("tts-language", "", "language, for voices with several (for example en)"),
            Option(
                "tts-chunk",
                20,
                "size of an audio chunk, in XTTS latents of 1024 samples; 0: the whole phrase in one chunk",
            ),
            Option("tts-accept-licence", False, "accept the licence of a published voice that requires it"),
            *OPTIONS,
        ),
        requires=tuple(Requirement(module, "coqui") for module in ("torch", "transformers", "TTS", "six")),
        gpu="optional",
    )

    def load(self) -> None:
        """Read the voice, here or in its own process. Raises `UsageError`, `MissingDependency` or `WeightsError`."""
        model, weights = self.settings.text("tts-model"), self.settings.text("tts-weights")
        if self.settings.whole("tts-chunk") < 0:
            raise UsageError(f"tts-chunk is {self.settings.whole('tts-chunk')}, but it must be 0 or more.")
        if weights == "published" and not model:
            raise UsageError("tts-weights=published needs a voice. Set tts-model=FOLDER, or use tts-weights=dummy.")
        if wants_own_process(self.settings):
            self._engine: TTS = VoiceProcess(self.settings, "coqui", self.settings.text("tts-python"))
        else:
            from firstpacket.pipelines.cascade.tts.coqui.in_process import InProcessCoqui

            self._engine = InProcessCoqui(self.settings)
        self._engine.load()

    def speak(self, text: str, trace: Trace) -> Iterator[tuple[Samples, int]]:
        """Chunks at the voice's rate; the same text sounds the same in every turn."""
        return self._engine.speak(text, trace)

    def close(self) -> None:
        """Release the voice."""
        with suppress(AttributeError):
            self._engine.close()

    def weights(self) -> tuple[Weights, ...]:
        """Where the voice came from."""
        return self._engine.weights()

    def facts(self) -> Mapping[str, OptionValue]:
        """Size, rate and library versions of the voice."""
        return self._engine.facts()
