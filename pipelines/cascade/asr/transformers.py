"""Whisper through Hugging Face transformers (PyTorch)."""

from __future__ import annotations

from typing import Any

from firstpacket.bench.errors import UsageError, WeightsError
from firstpacket.bench.pipeline import SAMPLE_RATE, Declaration, Requirement, Samples, Stage
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.asr.whisper import Whisper, options
from firstpacket.pipelines.cascade.asr.whisper_config import check_features, check_generation, check_sizes
from firstpacket.pipelines.cascade.asr.whisper_folders import WhisperCheckpoint
from firstpacket.pipelines.cascade.asr.whisper_vocabulary import check_folder
from firstpacket.pipelines.cascade.engines import cause
from firstpacket.pipelines.optional import imported

DTYPES = ("float32", "float16", "bfloat16")
FRAMES = 3000
"""Frames of features in a window of 30 s."""


class TransformersWhisper(Whisper):
    """Reads transformers' layout.

    Text is written by the folder's tokenizer.json itself: transformers' own class would tidy spaces before commas,
    which the other engines do not.
    """

    declaration = Declaration(
        name="transformers",
        summary="Whisper through transformers; by default the small demo model or a dummy.",
        stages=(Stage("asr", "listen", "asr"),),
        options=options(*DTYPES),
        requires=tuple(
            Requirement(module, "transformers") for module in ("torch", "transformers", "tokenizers", "safetensors")
        ),
        starts_before_speech_ends=True,
        gpu="optional",
    )
    layouts = ("transformers",)

    def _open(self, found: WhisperCheckpoint) -> None:
        for module in ("torch", "tokenizers"):
            imported(module, "transformers", "The recogniser transformers")
        library = imported("transformers", "transformers", "The recogniser transformers")
        if self._precision() not in DTYPES:
            raise UsageError(f"dtype is '{self._precision()}', but the recogniser runs in {', '.join(DTYPES)}.")
        check_sizes(found)
        check_generation(found)
        check_features(found)
        tokenizer = check_folder(found)
        self._extractor = _extractor(library, found)
        model = _read(library, found, self._precision()).to(self.settings.device).eval()

        from firstpacket.pipelines.cascade.asr.hf_generate import Writer

        self._model = Writer(
            model,
            tokenizer,
            beam=self.settings.whole("asr-beam"),
            fallback=self.settings.switch("asr-fallback"),
            seed=self.settings.seed,
        )

    def _text(self, samples: Samples, language: str, prefix: str, trace: Trace) -> str:
        # The features are computed on the device.
        features = self._extractor(
            samples,
            sampling_rate=SAMPLE_RATE,
            return_tensors="pt",
            truncation=False,
            padding="longest",
            device=self.settings.device,
        ).input_features
        windows = features.split(FRAMES, dim=-1)
        return "".join(self._model.write(window, language, prefix, trace) for window in windows)


def _extractor(library: Any, found: WhisperCheckpoint) -> Any:
    """The features that the folder describes; the published ones where it does not."""
    if (found.path / "preprocessor_config.json").is_file():
        return library.WhisperFeatureExtractor.from_pretrained(found.path, local_files_only=True)
    return library.WhisperFeatureExtractor(feature_size=found.json("config.json").get("num_mel_bins", 80))


def _read(library: Any, found: WhisperCheckpoint, dtype: str) -> Any:
    """The model, on the CPU. Raises `WeightsError`, also for tensors that transformers would make up."""
    import torch

    try:
        model, report = library.WhisperForConditionalGeneration.from_pretrained(
            found.path,
            dtype=getattr(torch, dtype),
            attn_implementation="sdpa",
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
    except Exception as error:  # a configuration may go wrong anywhere in the library
        raise WeightsError(
            f"Cannot load the recogniser's model {found.source} ({found.path}): {cause(error)} Download it again."
        ) from error
    wrong = sorted(map(str, (*report["missing_keys"], *report["mismatched_keys"])))
    if wrong:
        raise WeightsError(
            f"{found.path}: tensor {wrong[0]} is missing or has the wrong shape ({len(wrong)} such tensors). The "
            "files are incomplete or belong to another model; download them again."
        )
    return model
