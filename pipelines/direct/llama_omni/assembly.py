"""From a label's settings to an assistant that can answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from bench.errors import MissingDependency
from bench.pipeline import Settings
from pipelines.direct.llama_omni import checkpoint, dummy
from pipelines.direct.llama_omni.choosing import Choices, Sampling
from pipelines.direct.llama_omni.chunking import parse_chunk_units
from pipelines.direct.llama_omni.dummy_text import dummy_tokenizer
from pipelines.direct.llama_omni.model import Loaded
from pipelines.direct.llama_omni.prompt import Prompt, TextTokenizer, prompt_ids
from pipelines.direct.llama_omni.streaming import Assistant, Plan


@dataclass(frozen=True, slots=True)
class Assembled:
    """Everything `load` makes."""

    loaded: Loaded
    tokenizer: TextTokenizer
    assistant: Assistant


def assemble(settings: Settings) -> Assembled:
    """Load or make the weights and reserve the caches. Raises `WeightsError`, `UsageError` or `MissingDependency`."""
    device, dtype = _device(settings.device), getattr(torch, settings.dtype)
    if settings.text("weights") == "dummy":
        loaded, tokenizer, choices = _dummy(settings, device, dtype)
    else:
        loaded, tokenizer, choices = _published(settings, device, dtype)
    config = loaded.model.config
    plan = Plan(
        prompt=Prompt(prompt_ids(tokenizer.encode, config.bos), device),
        choices=choices,
        eos=frozenset(config.eos),
        max_new_tokens=settings.whole("max-new-tokens"),
        chunk_units=parse_chunk_units(settings.text("chunk-units")),
    )
    return Assembled(loaded, tokenizer, Assistant(loaded.model, plan))


def _dummy(settings: Settings, device: torch.device, dtype: torch.dtype) -> tuple[Loaded, TextTokenizer, Choices]:
    tokenizer = dummy_tokenizer()
    loaded = dummy.build(settings.text("size"), settings.seed, device, dtype)
    choices = dummy.FixedWork(loaded.model, tokenizer, settings.seed, settings.whole("max-new-tokens"))
    return loaded, tokenizer, choices


def _published(settings: Settings, device: torch.device, dtype: torch.dtype) -> tuple[Loaded, TextTokenizer, Choices]:
    folder = Path(settings.text("weights"))
    vocoder = Path(settings.text("vocoder")) if settings.text("vocoder") else None
    tokenizer = TextTokenizer.from_folder(folder)
    loaded = checkpoint.load(folder, vocoder, device, dtype)
    sampling = Sampling(settings.number("temperature"), settings.number("top-p"), settings.seed)
    return loaded, tokenizer, Choices(sampling, device)


def _device(name: str) -> torch.device:
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise MissingDependency(
            f"Device {name} was asked for, but torch {torch.__version__} finds no CUDA device. "
            "Use --device cpu, or install a CUDA build of torch (`bench doctor` says what is there)."
        )
    return device
