"""The voice engine `coqui`: VITS and XTTS through Coqui TTS, with dummy weights when no voice is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from bench.errors import UsageError
from bench.pipeline import Declaration, Option, OptionValue, Requirement, Samples, Stage, Weights
from bench.timing.trace import Trace
from pipelines.cascade.engines import TTS, imported


class Coqui(TTS):
    """Neural voices; XTTS streams, VITS vocodes a phrase piece by piece."""

    declaration = Declaration(
        name="coqui",
        kind="tts",
        summary="Coqui TTS: VITS and XTTS (streamed); dummy weights unless a voice is given.",
        stages=(Stage("tts", "speak"),),
        options=(
            Option(
                "tts-weights",
                "dummy",
                "dummy (VITS of seeded random values) or published (needs tts-model, which implies it)",
                choices=("dummy", "published"),
            ),
            Option("tts-size", "small", "size of the dummy voice", choices=("small", "published")),
            Option("tts-model", "", "folder of a voice, or a name that Coqui published and that was fetched before"),
            Option("tts-speaker", "", "speaker, for a voice that has several"),
            Option("tts-language", "", "language, for a voice that has several (XTTS: en)"),
            Option("tts-chunk", 20, "sound per chunk in XTTS's latents, 1024 samples each; 0 gives a phrase at once"),
            Option("tts-accept-licence", False, "accept the licence of a published voice that asks for it"),
        ),
        requires=tuple(Requirement(module, "coqui") for module in ("torch", "transformers", "TTS", "six")),
        gpu="optional",
    )

    def load(self) -> None:
        """Read the voice. Raises `UsageError`, `MissingDependency` or `WeightsError`."""
        model, weights = self.settings.text("tts-model"), self.settings.text("tts-weights")
        if self.settings.whole("tts-chunk") < 0:
            raise UsageError(f"tts-chunk is {self.settings.whole('tts-chunk')}, but it must be 0 or more.")
        if weights == "published" and not model:
            raise UsageError(
                "tts-weights=published needs a voice. Give its folder with tts-model=PATH, or use tts-weights=dummy."
            )
        for module in ("torch", "transformers", "six"):
            imported(module, "coqui", "The voice coqui")
        stand_ins = imported("pipelines.cascade.tts.coqui.stand_ins", "coqui", "The voice coqui")
        with stand_ins.importable() as self._torchaudio:
            imported("TTS", "coqui", "The voice coqui")
        self._read(model)

    def speak(self, text: str, trace: Trace) -> Iterator[tuple[Samples, int]]:
        """Chunks at the voice's rate; the same text sounds the same in every turn."""
        if not any(map(str.isalnum, text)):
            return
        for samples in self._voice.speak(text, trace):
            yield samples, self._voice.rate

    def close(self) -> None:
        """Let go of the voice."""
        with suppress(AttributeError):
            del self._voice

    def weights(self) -> tuple[Weights, ...]:
        """Where the voice came from."""
        return (self._weights,)

    def facts(self) -> Mapping[str, OptionValue]:
        """Size, rate and surroundings of the voice."""
        return self._facts

    def _read(self, model: str) -> None:
        from pipelines.cascade.tts.coqui import dummy, folder, loading

        settings = self.settings
        if model:
            found = folder.find(model, settings.switch("tts-accept-licence"))
        else:
            found = dummy.found(settings.text("tts-size"), settings.seed)
        read: Any = loading.read_xtts if found.kind == "xtts" else loading.read_vits
        network = read(found, settings.device)
        values = sum(parameter.numel() for parameter in network.parameters())
        self._weights = Weights("tts", "published" if model else "dummy", found.source, f"{values / 1e6:.1f} M values")
        self._voice: Any = _voice(found.kind, network, settings)
        self._facts: dict[str, OptionValue] = {
            "tts_kind": found.kind,
            "tts_parameters": values,
            "tts_sample_rate": self._voice.rate,
            "tts_dtype": "float32",
            "tts_torchaudio": self._torchaudio,
            **({} if model else dummy.FACTS),
        }


def _voice(kind: str, network: Any, settings: Any) -> Any:
    from pipelines.cascade.tts.coqui.vits import VitsVoice
    from pipelines.cascade.tts.coqui.xtts import XttsVoice

    make = XttsVoice if kind == "xtts" else VitsVoice
    return make(
        network,
        settings.text("tts-speaker"),
        settings.text("tts-language"),
        settings.whole("tts-chunk"),
        settings.seed,
    )
