"""Tiny language models in published layouts, written by transformers itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from firstpacket.pipelines.cascade.llm import dummy

VOCAB = len(dummy.tokenizer())
END = 5
LLAMA_3 = {
    "rope_type": "llama3",
    "rope_theta": 500_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


def llama(**changed: Any) -> LlamaForCausalLM:
    """Random weights, wide enough apart that what is said depends on what was asked."""
    sizes = {
        "hidden_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "intermediate_size": 64,
        "vocab_size": VOCAB,
        "max_position_embeddings": 512,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0},
        "initializer_range": 0.4,
        "bos_token_id": 0,
        "eos_token_id": END,
    }
    torch.manual_seed(11)
    return LlamaForCausalLM(LlamaConfig(**{**sizes, **changed})).eval()


def gpt2() -> GPT2LMHeadModel:
    """Another architecture, with learnt positions."""
    torch.manual_seed(11)
    sizes = {"n_embd": 48, "n_layer": 2, "n_head": 4, "n_positions": 512, "initializer_range": 0.3}
    return GPT2LMHeadModel(GPT2Config(**sizes, vocab_size=VOCAB, bos_token_id=0, eos_token_id=END)).eval()


def write(folder: Path, model: Any, tokenizer: PreTrainedTokenizerFast | None = None) -> Path:
    """The model and a tokenizer in one folder."""
    model.save_pretrained(folder)
    (tokenizer or dummy.tokenizer()).save_pretrained(folder)
    return folder


def change(path: Path, **changed: Any) -> None:
    """Change fields of a JSON file; None takes one away."""
    fields = {**json.loads(path.read_text()), **changed}
    path.write_text(json.dumps({name: value for name, value in fields.items() if value is not None}))
