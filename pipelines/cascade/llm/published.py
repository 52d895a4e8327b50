"""Published language models: a folder in the layout of the Hugging Face hub, or a name fetched from there before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from bench.errors import WeightsError
from pipelines.cascade.engines import cause
from pipelines.cascade.llm.decoding import Greedy


def read(model: str, device: str, dtype: str, longest: int) -> Greedy:
    """Read model and tokenizer to the device. Raises `WeightsError` when they are not there or cannot be used."""
    if _is_path(model) and not Path(model).is_dir():
        raise WeightsError(
            f"There is no folder {model}, which llm-model names. Give the folder that holds config.json, "
            "tokenizer.json and the *.safetensors files of a causal language model."
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(model, local_files_only=True)
        network = AutoModelForCausalLM.from_pretrained(
            model, dtype=getattr(torch, dtype), attn_implementation="sdpa", local_files_only=True
        )
    except (OSError, ValueError, KeyError) as error:
        raise WeightsError(
            f"The language model '{model}' cannot be loaded: {cause(error)} Nothing is downloaded during "
            f"a run: fetch a published model first (`hf download OWNER/NAME`), or give llm-model a folder."
        ) from error
    network = network.to(device).eval()
    return Greedy(network, tokenizer, _stops(network, tokenizer), longest)


def _is_path(model: str) -> bool:
    """Names on the hub are `owner/name`: one slash at most, and no beginning that only a path has."""
    return model.startswith((".", "/", "~")) or model.count("/") > 1 or "\\" in model


def _stops(network: Any, tokenizer: Any) -> frozenset[int]:
    """Every id that ends a reply, by the generation settings and by the tokenizer."""
    configured = network.generation_config.eos_token_id
    listed = configured if isinstance(configured, list) else [configured]
    return frozenset(stop for stop in (*listed, tokenizer.eos_token_id) if stop is not None)
