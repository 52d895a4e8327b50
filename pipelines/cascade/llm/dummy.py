"""Seeded random weights in Llama's architecture, and the canned reply that fixes their work.

The sizes, the replies and their tokens are those of the direct pipeline's dummy, so that both think alike.
"""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

from pipelines.cascade.llm.decoding import Choose, Greedy, likeliest
from pipelines.models.chat import BEGIN, END_OF_TURN, HEADER, SYSTEM
from pipelines.models.dummy_text import canned_reply, learnt_tokenizer

CHAT_TEMPLATE = (
    f"{BEGIN}{{% for message in messages %}}{HEADER.format('{{ message.role }}')}"
    f"{{{{ message.content }}}}{END_OF_TURN}{{% endfor %}}{{{{ {HEADER.format('assistant')!r} }}}}"
)
"""Llama 3's conversation format; its end is an expression because Jinja drops a template's last line break."""

_SHARED = {"num_key_value_heads": 8, "vocab_size": 128256}
_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500_000.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
_SIZES: dict[str, dict[str, object]] = {
    "tiny": {
        "hidden_size": 256,
        "intermediate_size": 688,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 64,
        "vocab_size": 4096,
        "rope_parameters": {**_ROPE, "factor": 8.0},
    },
    "1b": {
        **_SHARED,
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "head_dim": 64,
        "rope_parameters": {**_ROPE, "factor": 32.0},
        "tie_word_embeddings": True,
    },
    "8b": {
        **_SHARED,
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "head_dim": 128,
        "rope_parameters": {**_ROPE, "factor": 8.0},
    },
}
"""`1b` has the dimensions of Llama 3.2 1B, `8b` those of Llama 3.1 8B."""


def build(size: str, seed: int, device: str, dtype: str, longest: int) -> Greedy:
    """A model of random values made on the device, the same for the same seed, that gives a canned reply."""
    words = tokenizer()
    end = words.convert_tokens_to_ids(END_OF_TURN)
    place = torch.device(device)
    config = LlamaConfig(
        **_SIZES[size],
        max_position_embeddings=131072,
        bos_token_id=words.convert_tokens_to_ids(BEGIN),
        eos_token_id=end,
    )
    with place, torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype), attn_implementation="sdpa")
    reply = words(canned_reply(seed), add_special_tokens=False).input_ids
    canned = torch.tensor([*reply, end], device=place)
    return Greedy(model.eval(), words, frozenset((end,)), longest, SYSTEM, overridden(canned))


def overridden(canned: Tensor) -> Choose:
    """Choose in full, then write the canned id `(n,)` over the chosen one, on the device."""

    def choose(logits: Tensor, step: int) -> Tensor:
        return likeliest(logits, step).copy_(canned[step : step + 1])

    return choose


def tokenizer() -> PreTrainedTokenizerFast:
    """The dummies' tokenizer, with Llama 3's conversation format."""
    return PreTrainedTokenizerFast(
        tokenizer_object=learnt_tokenizer(), bos_token=BEGIN, eos_token=END_OF_TURN, chat_template=CHAT_TEMPLATE
    )
