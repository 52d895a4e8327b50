"""Whisper through faster-whisper (CTranslate2)."""

from __future__ import annotations

from typing import Any

from firstpacket.bench.errors import UsageError, WeightsError
from firstpacket.bench.pipeline import Declaration, Requirement, Samples, Stage
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.asr.whisper import LOG_PROBABILITY, LONGEST, Whisper, options
from firstpacket.pipelines.cascade.asr.whisper_config import check_features
from firstpacket.pipelines.cascade.asr.whisper_folders import WhisperCheckpoint
from firstpacket.pipelines.cascade.asr.whisper_vocabulary import check_converted
from firstpacket.pipelines.cascade.engines import cause
from firstpacket.pipelines.optional import imported


class FasterWhisper(Whisper):
    """Reads CTranslate2's layout; a folder in transformers' layout is converted once, into the cache.

    Its features are NumPy's, on the CPU. CTranslate2 keeps its own streams, so its spans are host time only. It draws
    from a single random sequence, so with `asr-fallback` a doubtful text depends on the turns before it.
    """

    declaration = Declaration(
        name="faster-whisper",
        summary="Whisper through CTranslate2; by default the small demo model or a dummy.",
        stages=(Stage("asr", "listen", "asr"),),
        options=options("float32", "float16", "bfloat16", "int8", "int8_float32", "int8_float16", "int8_bfloat16"),
        requires=tuple(Requirement(module, "faster-whisper") for module in ("faster_whisper", "ctranslate2")),
        starts_before_speech_ends=True,
        gpu="optional",
    )
    layouts = ("ctranslate2", "transformers")
    on_gpu = False

    def _open(self, found: WhisperCheckpoint) -> None:
        user = "The recogniser faster-whisper"
        library = imported("faster_whisper", "faster-whisper", user)
        engine = imported("ctranslate2", "faster-whisper", user)
        self._check_compute(engine)
        engine.set_random_seed(self.settings.seed)
        if found.layout == "transformers":
            from firstpacket.pipelines.cascade.asr.converted import converted

            found = converted(found)
        check_converted(found)
        check_features(found)
        device, _, index = self.settings.device.partition(":")
        try:
            self._model = library.WhisperModel(
                str(found.path),
                device=device,
                device_index=int(index or 0),
                compute_type=self.settings.text("asr-compute"),
                local_files_only=True,
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise WeightsError(
                f"Cannot load the recogniser's model {found.source} ({found.path}): {cause(error)} Download or "
                "convert it again."
            ) from error

    def _text(self, samples: Samples, language: str, prefix: str, trace: Trace) -> str:
        segments, _ = self._model.transcribe(
            samples,
            beam_size=self.settings.whole("asr-beam"),
            log_prob_threshold=LOG_PROBABILITY,
            max_new_tokens=LONGEST,
            **self._decoding(language, prefix),
        )
        # Segments are lazy: the work is done here.
        text = "".join(segment.text for segment in segments)
        # The library's text begins with the prefix it was given.
        return text.removeprefix(f" {prefix.strip()}") if prefix else text

    def _precision(self) -> str:
        return str(self._model.model.compute_type)

    def _check_compute(self, library: Any) -> None:
        asked, device = self.settings.text("asr-compute"), self.settings.device.partition(":")[0]
        built = library.get_supported_compute_types(device)
        if asked != "default" and asked not in built:
            raise UsageError(
                f"CTranslate2 does not support {asked} on this {device}. Choose asr-compute from "
                f"{', '.join(sorted(built))}."
            )
