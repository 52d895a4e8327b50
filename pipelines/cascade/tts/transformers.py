"""The voice engine `transformers`: VITS as transformers has it (the 1,100 languages of MMS among them)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from firstpacket.bench.errors import UsageError
from firstpacket.bench.pipeline import Declaration, Option, OptionValue, Origin, Requirement, Samples, Stage, Weights
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.engines import TTS
from firstpacket.pipelines.optional import imported


class TransformersVoice(TTS):
    """A neural voice that synthesises a phrase in one chunk."""

    declaration = Declaration(
        name="transformers",
        summary="VITS through transformers (such as MMS); dummy weights unless a voice is given.",
        stages=(Stage("tts", "speak", "tts"),),
        options=(
            Option(
                "tts-weights",
                "dummy",
                "dummy (seeded random weights) or published (implied by tts-model)",
                choices=("dummy", "published"),
            ),
            Option("tts-size", "small", "size of the dummy voice", choices=("small", "published")),
            Option("tts-model", "", "folder of a voice, or hub name of one already downloaded (facebook/mms-tts-eng)"),
            Option("tts-speaker", 0, "speaker number, for voices with several"),
        ),
        requires=tuple(
            Requirement(module, "transformers") for module in ("torch", "transformers", "tokenizers", "safetensors")
        ),
        gpu="optional",
    )

    def load(self) -> None:
        """Read the voice. Raises `UsageError`, `MissingDependency` or `WeightsError`."""
        model = self.settings.text("tts-model")
        if not model and self.settings.text("tts-weights") == "published":
            raise UsageError("tts-weights=published needs a voice. Set tts-model=FOLDER, or use tts-weights=dummy.")
        for module in ("torch", "transformers"):
            imported(module, "transformers", "The voice transformers")
        from firstpacket.pipelines.cascade.tts import vits

        self._voice: Any = vits.read(self.settings, model)

    def speak(self, text: str, trace: Trace) -> Iterator[tuple[Samples, int]]:
        """The phrase in one piece, the same in every turn; nothing if the voice can pronounce none of it."""
        samples = self._voice.say(text, trace)
        if len(samples):
            yield samples, self._voice.rate

    def close(self) -> None:
        """Release the voice."""
        self._voice = None

    def weights(self) -> tuple[Weights, ...]:
        """Where the voice came from."""
        origin: Origin = "published" if self.settings.text("tts-model") else "dummy"
        return (Weights("tts", origin, self._voice.source, parameters=self._voice.parameters),)

    def facts(self) -> Mapping[str, OptionValue]:
        """Size and rate of the voice, and how a dummy's work is fixed."""
        facts: dict[str, OptionValue] = {
            "tts_parameters": self._voice.parameters,
            "tts_sample_rate": self._voice.rate,
            "tts_dtype": "float32",
        }
        return facts | ({} if self.settings.text("tts-model") else self._voice.dummy_facts)
