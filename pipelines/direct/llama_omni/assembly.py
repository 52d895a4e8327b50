"""From a label's settings to an assistant that can answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from bench.errors import MissingDependency, WeightsError
from bench.pipeline import Settings
from pipelines.direct.llama_omni import checkpoint, dummy
from pipelines.direct.llama_omni.choosing import Choices, Sampling
from pipelines.direct.llama_omni.chunking import parse_chunk_units
from pipelines.direct.llama_omni.model import Loaded
from pipelines.direct.llama_omni.prompt import Prompt, prompt_ids
from pipelines.direct.llama_omni.streaming import Assistant, Plan
from pipelines.models.chat import TextTokenizer
from pipelines.models.dummy_text import learnt_tokenizer


@dataclass(frozen=True, slots=True)
class Assembled:
    """Everything `load` makes."""

    loaded: Loaded
    tokenizer: TextTokenizer
    assistant: Assistant


def assemble(settings: Settings) -> Assembled:
    """Load or make the weights and reserve the caches. Raises `WeightsError`, `UsageError` or `MissingDependency`."""
    device, dtype = _device(settings.device), getattr(torch, settings.dtype)
    sampling = Sampling(settings.number("temperature"), settings.number("top-p"), settings.seed)
    choices: Choices
    if settings.text("weights") == "dummy":
        tokenizer = TextTokenizer(learnt_tokenizer())
        loaded = dummy.build(settings.text("size"), settings.seed, device, dtype)
        choices = dummy.FixedWork(loaded.model, tokenizer, sampling, settings.whole("max-new-tokens"))
    else:
        loaded, tokenizer = _published(settings, device, dtype)
        choices = Choices(sampling, device)
    config = loaded.model.config
    plan = Plan(
        prompt=Prompt(prompt_ids(tokenizer.encode, config.bos), device),
        choices=choices,
        eos=frozenset(config.eos),
        max_new_tokens=settings.whole("max-new-tokens"),
        chunk_units=parse_chunk_units(settings.text("chunk-units")),
    )
    return Assembled(loaded, tokenizer, Assistant(loaded.model, plan))


def _published(settings: Settings, device: torch.device, dtype: torch.dtype) -> tuple[Loaded, TextTokenizer]:
    folder = Path(settings.text("weights"))
    if not folder.is_dir():
        raise WeightsError(f"weights is '{folder}', which is neither 'dummy' nor a folder. Give a checkpoint's folder.")
    vocoder = Path(settings.text("vocoder")) if settings.text("vocoder") else None
    tokenizer = TextTokenizer.from_folder(folder)
    return checkpoint.load(folder, vocoder, device, dtype), tokenizer


def _device(name: str) -> torch.device:
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise MissingDependency(
            f"Device {name} was asked for, but torch {torch.__version__} finds no CUDA device. "
            "Use --device cpu, or install a CUDA build of torch (`bench doctor` says what is there)."
        )
    return device
