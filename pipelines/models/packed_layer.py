"""A Llama layer for the CPU, of few operators: at a handful of positions each costs more to start than to run."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from firstpacket.pipelines.models.attention import attend
from firstpacket.pipelines.models.kv_cache import KVCache, Window
from firstpacket.pipelines.models.packing import packed_linear


class PackedLayer(nn.Module):
    """Computes what `llama.Layer` does, with queries, keys and values from one matrix, and gate and up from another."""

    def __init__(self, linears: Sequence[nn.Linear], head_dim: int, before: nn.Module, between: nn.Module) -> None:
        """`linears` are q, k, v, o, gate, up and down; the norms stand before attention and between it and the MLP."""
        super().__init__()
        q, k, v, o, gate, up, down = (linear.weight for linear in linears)
        self.head_dim = head_dim
        self.heads, self.kv_heads = q.shape[0] // head_dim, k.shape[0] // head_dim
        self.qkv_proj = packed_linear(torch.cat((q, k, v)))
        self.o_proj = packed_linear(o)
        self.gate_up_proj = packed_linear(torch.cat((gate, up)))
        self.down_proj = packed_linear(down)
        self.input_layernorm = before
        self.post_attention_layernorm = between

    def forward(self, x: Tensor, cache: KVCache, layer: int, window: Window, last: bool = False) -> Tensor:
        """`(n, hidden)` to the same, or to `(1, hidden)` for the last position alone."""
        joined = self.qkv_proj(self.input_layernorm(x)).view(1, x.shape[0], -1, self.head_dim).transpose(1, 2)
        turned = window.rotate(joined[:, : self.heads + self.kv_heads])
        queries = turned[:, : self.heads]
        keys, values = cache.append(layer, window, turned[:, self.heads :], joined[:, self.heads + self.kv_heads :])
        if last:
            x, queries, window = x[-1:], queries[:, :, -1:], window.last()
        mixed = attend(queries, keys, values, window, self.heads != self.kv_heads)
        x = x + self.o_proj(mixed.transpose(1, 2).reshape(x.shape[0], -1))
        gate, up = self.gate_up_proj(self.post_attention_layernorm(x)).chunk(2, dim=-1)
        out: Tensor = self.down_proj(functional.silu(gate) * up)
        return out.add_(x)
