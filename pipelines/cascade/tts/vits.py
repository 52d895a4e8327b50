"""VITS (Kim, Kong and Son 2021, arXiv 2106.06103) in transformers' layout: read, or made of seeded random values."""

from __future__ import annotations

import importlib.util
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import VitsModel, VitsTokenizer

from firstpacket.bench.errors import MissingDependency, UsageError, WeightsError
from firstpacket.bench.pipeline import OptionValue, Samples, Settings
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.engines import cause
from firstpacket.pipelines.cascade.tts import vits_dummy
from firstpacket.pipelines.models import hub
from firstpacket.pipelines.models.device import device_of
from firstpacket.pipelines.models.tensors import read_json

WANTED = "config.json, vocab.json, tokenizer_config.json and model.safetensors of a VITS"


@dataclass(frozen=True, slots=True)
class VitsVoice:
    """One speaker of a `VitsModel`; `source` is what reports call it."""

    model: Any
    tokenizer: Any
    speaker: int | None
    seed: int
    source: str
    dummy_facts: dict[str, OptionValue]

    @property
    def rate(self) -> int:
        """Samples per second."""
        return int(self.model.config.sampling_rate)

    @property
    def parameters(self) -> int:
        """Number of values in the model."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    def say(self, text: str, trace: Trace) -> Samples:
        """Samples `(n,)` of a phrase, drawn anew from the seed; empty if the voice can pronounce none of it."""
        ids = self.tokenizer(text).input_ids
        if not set(ids) - {self.tokenizer.pad_token_id, self.tokenizer.unk_token_id}:
            return np.zeros(0, np.float32)
        device = self.model.device
        on_gpu = device.type == "cuda"
        with torch.inference_mode(), torch.random.fork_rng(devices=[device] if on_gpu else []):
            torch.manual_seed(self.seed)
            wave = self.model(torch.tensor([ids], device=device), speaker_id=self.speaker).waveform[0]
            with trace.device_wait() if on_gpu else nullcontext():
                samples: Samples = wave.float().cpu().numpy()
        return samples


def read(settings: Settings, model: str) -> VitsVoice:
    """The voice in a folder or in the hub's cache, or a dummy if `model` is empty; float32.

    Raises `UsageError`, `MissingDependency` or `WeightsError`.
    """
    size, seed = settings.text("tts-size"), settings.seed
    folder = _find(model) if model else vits_dummy.folder(size, seed)
    _check_kind(folder)
    try:
        network = VitsModel.from_pretrained(folder, local_files_only=True, use_safetensors=True, dtype=torch.float32)
        tokenizer = VitsTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise WeightsError(
            f"Cannot load the voice in {folder}: {cause(error)} Set tts-model to a folder with {WANTED}."
        ) from error
    _check_tokenizer(tokenizer, network.config.vocab_size, folder)
    network = network.to(device_of(settings.device)).eval()
    speaker = _speaker(settings.whole("tts-speaker"), network.config.num_speakers)
    source = model or f"seed {seed}, size {size}"
    return VitsVoice(network, tokenizer, speaker, seed, source, {} if model else vits_dummy.FACTS)


def _find(model: str) -> Path:
    found = hub.cached(model)
    if found is None:
        raise WeightsError(
            f"The voice '{model}' is neither a folder nor in the Hugging Face cache, and nothing is downloaded during "
            "a run. Download a published voice first (`hf download facebook/mms-tts-eng`), or set tts-model to a "
            "folder."
        )
    return found.path


def _check_kind(folder: Path) -> None:
    """Raises `WeightsError` naming what the folder holds instead of a VITS."""
    if not (folder / "config.json").is_file():
        raise WeightsError(f"{folder} has no config.json. Set tts-model to a folder with {WANTED}.")
    config = read_json(folder / "config.json")
    kind = config.get("model_type")
    if kind != "vits":
        what = (
            f"a '{kind}'"
            if kind
            else f"a voice of Coqui TTS ({config['model']}: tts=coqui)"
            if "model" in config
            else ""
        )
        raise WeightsError(f"{folder} holds {what or 'not a transformers model'}, not a VITS. Set tts-model to a VITS.")


def _check_tokenizer(tokenizer: Any, known: int, folder: Path) -> None:
    """Raises `WeightsError` for ids that the model does not know, `MissingDependency` without its phonemizer."""
    highest = max(tokenizer.encoder.values(), default=0)
    if highest >= known:
        raise WeightsError(
            f"{folder}: the tokenizer has ids up to {highest}, but the model's vocabulary has {known}. Copy the "
            "vocab.json published with these weights."
        )
    if tokenizer.phonemize and importlib.util.find_spec("phonemizer") is None:
        raise MissingDependency(
            f"The voice in {folder} needs phonemes, and phonemizer is not installed. Install it with: pip install "
            "phonemizer, and espeak-ng, which it calls (Debian: apt install espeak-ng)."
        )


def _speaker(number: int, speakers: int) -> int | None:
    if not 0 <= number < max(1, speakers):
        raise UsageError(f"tts-speaker is {number}, but the voice has speakers 0 to {max(1, speakers) - 1}.")
    return number if speakers > 1 else None
