"""Coqui's voices in this process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from firstpacket.bench.pipeline import OptionValue, Samples, Settings, Weights
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.engines import TTS
from firstpacket.pipelines.optional import imported


class InProcessCoqui(TTS):
    """Loads the voice named by the settings and speaks with it."""

    def load(self) -> None:
        """Read the voice. Raises `UsageError`, `MissingDependency` or `WeightsError`."""
        for module in ("torch", "transformers", "six"):
            imported(module, "coqui", "The voice coqui")
        stand_ins = imported("firstpacket.pipelines.cascade.tts.coqui.stand_ins", "coqui", "The voice coqui")
        with stand_ins.importable() as self._torchaudio:
            imported("TTS", "coqui", "The voice coqui")
        self._read(self.settings.text("tts-model"))

    def speak(self, text: str, trace: Trace) -> Iterator[tuple[Samples, int]]:
        """Chunks at the voice's rate; the same text sounds the same in every turn."""
        if not any(map(str.isalnum, text)):
            return
        for samples in self._voice.speak(text, trace):
            yield samples, self._voice.rate

    def close(self) -> None:
        """Release the voice."""
        with suppress(AttributeError):
            del self._voice

    def weights(self) -> tuple[Weights, ...]:
        """Where the voice came from."""
        return (self._weights,)

    def facts(self) -> Mapping[str, OptionValue]:
        """Size, rate and library versions of the voice."""
        return self._facts

    def _read(self, model: str) -> None:
        from firstpacket.pipelines.cascade.tts.coqui import dummy, folder, loading

        settings = self.settings
        if model:
            found = folder.find(model, settings.switch("tts-accept-licence"))
        else:
            found = dummy.found(settings.text("tts-size"), settings.seed)
        read: Any = loading.read_xtts if found.kind == "xtts" else loading.read_vits
        network = read(found, settings.device)
        values = sum(parameter.numel() for parameter in network.parameters())
        self._weights = Weights("tts", "published" if model else "dummy", found.source, parameters=values)
        self._voice: Any = _voice(found.kind, network, settings)
        self._facts: dict[str, OptionValue] = {
            "tts_kind": found.kind,
            "tts_parameters": values,
            "tts_sample_rate": self._voice.rate,
            "tts_dtype": "float32",
            "tts_torchaudio": self._torchaudio,
            **({} if model else dummy.FACTS),
        }


def _voice(kind: str, network: Any, settings: Settings) -> Any:
    from firstpacket.pipelines.cascade.tts.coqui.vits import VitsVoice
    from firstpacket.pipelines.cascade.tts.coqui.xtts import XttsVoice

    make = XttsVoice if kind == "xtts" else VitsVoice
    return make(
        network,
        settings.text("tts-speaker"),
        settings.text("tts-language"),
        settings.whole("tts-chunk"),
        settings.seed,
    )
