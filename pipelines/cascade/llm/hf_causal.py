"""Causal models of any architecture through transformers' own forward pass, one token at a time."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from transformers import Cache, DynamicCache, LlamaConfig, LlamaForCausalLM, StaticCache
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from firstpacket.pipelines.models.llama import Llama


class HFCausalLM:
    """A model of transformers and a cache of it: of fixed size, or one that grows where the model refuses that."""

    def __init__(self, model: Any, positions: int, probe: Sequence[int]) -> None:
        """`probe` is a prompt with which the fixed cache is tried."""
        self._model = model
        self.positions = positions
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in signature(model.forward).parameters else {}
        self._cache: Cache = StaticCache(config=model.config, max_cache_len=positions)
        self.cache = "static" if self._works(probe) else "dynamic"

    @torch.inference_mode()
    def prefill(self, ids: Sequence[int]) -> Tensor:
        """Begin a text; returns the scores `(1, vocab)` of what follows."""
        if self.cache == "static":
            self._cache.reset()
        else:
            self._cache = DynamicCache(config=self._model.config)
        return self._forward(torch.tensor([list(ids)], device=self._model.device))

    @torch.inference_mode()
    def step(self, token: Tensor) -> Tensor:
        """Take in a token `(1,)`; returns the scores `(1, vocab)` of the next one."""
        return self._forward(token[None])

    def _forward(self, ids: Tensor) -> Tensor:
        out = self._model(input_ids=ids, past_key_values=self._cache, use_cache=True, **self._last_only)
        logits: Tensor = out.logits[:, -1]
        return logits

    def _works(self, probe: Sequence[int]) -> bool:
        """Whether the model says the same with the fixed cache, after a prompt and after a further token."""
        self.cache = "dynamic"
        token = torch.tensor(list(probe[:1]), device=self._model.device)
        wanted = self.prefill(probe), self.step(token)
        self.cache = "static"
        self._cache = StaticCache(config=self._model.config, max_cache_len=self.positions)
        try:
            got = self.prefill(probe), self.step(token)
        except Exception:  # models refuse in as many ways as there are
            return False
        # Half precision rounds otherwise over a longer cache; a cache that is not understood is wrong by far more.
        return all(torch.allclose(a.float(), b.float(), rtol=0.1, atol=0.1) for a, b in zip(got, wanted, strict=True))


def from_llama(llama: Llama) -> Any:
    """The same Llama as transformers builds it, over the same memory."""
    sizes = llama.config
    scaling = sizes.rope_scaling
    rope: dict[str, object] = {"rope_type": "default", "rope_theta": sizes.rope_theta}
    if scaling is not None:
        rope |= {
            "rope_type": "llama3",
            "factor": scaling.factor,
            "low_freq_factor": scaling.low_freq_factor,
            "high_freq_factor": scaling.high_freq_factor,
            "original_max_position_embeddings": scaling.original_positions,
        }
    config = LlamaConfig(
        hidden_size=sizes.hidden,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        num_key_value_heads=sizes.kv_heads,
        head_dim=sizes.head_dim,
        intermediate_size=sizes.intermediate,
        vocab_size=sizes.vocab,
        rms_norm_eps=sizes.rms_eps,
        rope_parameters=rope,
        max_position_embeddings=131_072,
        tie_word_embeddings=sizes.tied,
        attn_implementation="sdpa",
    )
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    # The rotations are no weights: the state below does not bring them.
    with llama.model.embed_tokens.weight.device:
        model.model.rotary_emb = LlamaRotaryEmbedding(config)
    model.load_state_dict(llama.state_dict(), assign=True, strict=False)
    model.tie_weights()
    return model.eval().requires_grad_(False)
