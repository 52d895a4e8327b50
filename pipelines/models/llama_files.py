"""Llamas in Hugging Face's layout: which of them are supported, and loading one from its folder."""

from __future__ import annotations

from pathlib import Path

import torch

from firstpacket.pipelines.models.fields import Fields
from firstpacket.pipelines.models.kv_cache import bytes_per_position
from firstpacket.pipelines.models.llama import Llama
from firstpacket.pipelines.models.llama_config import LlamaConfig
from firstpacket.pipelines.models.memory_budget import MemoryBudget
from firstpacket.pipelines.models.tensors import SafetensorsFolder, fill


def parsed(fields: Fields) -> LlamaConfig:
    """The sizes of a plain Llama. Raises `WeightsError` naming the field that makes it another model."""
    fields.only(
        model_type="llama",
        hidden_act="silu",
        attention_bias=False,
        mlp_bias=False,
        sliding_window=False,
        quantization_config=False,
    )
    return LlamaConfig.from_json(fields.json, fields.where)


def parameters(config: LlamaConfig) -> int:
    """Number of weights; an output matrix that is the embedding matrix counts once."""
    return sum(parameter.numel() for parameter in Llama.without_weights(config).parameters())


def budget_of(
    config: LlamaConfig, positions: int, device: torch.device, dtype: torch.dtype, options: str
) -> MemoryBudget:
    """The memory for such a model with a cache of `positions`; none is allocated."""
    cache = positions * bytes_per_position(config, dtype)
    return MemoryBudget(parameters(config) * dtype.itemsize, cache, device, options)


def read(folder: Path, config: LlamaConfig, device: torch.device, dtype: torch.dtype) -> tuple[Llama, tuple[str, ...]]:
    """The model with its weights in `dtype`, and the names of tensors in the folder that it does not use.

    Raises `WeightsError` naming a tensor that is missing, misshapen, quantised or not finite.
    """
    source = SafetensorsFolder(folder)
    llama = Llama.without_weights(config)
    used = fill(llama, source, "", device, dtype)
    return llama, tuple(sorted(source.names() - used))
