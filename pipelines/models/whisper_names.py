"""The two schemes by which a Whisper's tensors are named: openai's `.pt` files, and transformers' folders."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from firstpacket.pipelines.models.tensors import TensorSource

HEAD_DIM = 64
"""Channels per head in every published Whisper; shapes do not show it."""

TRANSFORMERS_NAMES = (
    (r"^model\.", ""),
    (r"(^|\.)layers\.", r"\1blocks."),
    (r"\.self_attn_layer_norm\.", ".attn_ln."),
    (r"\.encoder_attn_layer_norm\.", ".cross_attn_ln."),
    (r"\.self_attn\.", ".attn."),
    (r"\.encoder_attn\.", ".cross_attn."),
    (r"attn\.q_proj\.", "attn.query."),
    (r"attn\.k_proj\.", "attn.key."),
    (r"attn\.v_proj\.", "attn.value."),
    (r"attn\.out_proj\.", "attn.out."),
    (r"\.fc1\.", ".mlp.0."),
    (r"\.fc2\.", ".mlp.2."),
    (r"\.final_layer_norm\.", ".mlp_ln."),
    (r"^decoder\.layer_norm\.", "decoder.ln."),
    (r"^(encoder\.)?layer_norm\.", r"\1ln_post."),
    (r"^decoder\.embed_tokens\.", "decoder.token_embedding."),
    (r"(^|\.)embed_positions\.weight$", r"\1positional_embedding"),
)
"""From transformers' names to openai's, step by step."""


def openai_name(name: str) -> str:
    """openai's name of a tensor, from the one that transformers gives it; a part's own names may lack its prefix."""
    for pattern, replacement in TRANSFORMERS_NAMES:
        name = re.sub(pattern, replacement, name)
    return name


class Renamed:
    """Tensors under other names: `names` maps the new to the old ones; the rest keep theirs."""

    def __init__(self, tensors: TensorSource, names: dict[str, str]) -> None:
        self.where = tensors.where
        self._tensors = tensors
        self._names = names

    def names(self) -> frozenset[str]:
        """Names of all tensors."""
        return frozenset(self._names) | (self._tensors.names() - frozenset(self._names.values()))

    def shape(self, name: str) -> torch.Size:
        """A tensor's shape."""
        return self._tensors.shape(self._names.get(name, name))

    def read(self, name: str, device: torch.device) -> Tensor:
        """One tensor."""
        return self._tensors.read(self._names.get(name, name), device)
