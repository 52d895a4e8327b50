"""A Llama decoder with a key/value cache of fixed size: RMSNorm, RoPE, grouped-query attention, SwiGLU.

Tensor names are those of Hugging Face's checkpoints. Everything works on one sequence: there is no batch dimension.
Nothing here reads from the device, so a step can be launched before the last one has ended.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from firstpacket.pipelines.models.attention import attend
from firstpacket.pipelines.models.kv_cache import KVCache, Window
from firstpacket.pipelines.models.llama_config import LlamaConfig
from firstpacket.pipelines.models.packed_layer import PackedLayer
from firstpacket.pipelines.models.packing import can_pack
from firstpacket.pipelines.models.tensors import Uninitialised


class RMSNorm(nn.Module):
    """x / sqrt(mean(x²) + eps) · weight."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """`(n, size)` to the same."""
        return functional.rms_norm(x, self.weight.shape, self.weight, self.eps)


class Attention(nn.Module):
    """Causal grouped-query self-attention over a cache."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        self.grouped = config.heads != config.kv_heads
        self.q_proj = nn.Linear(config.hidden, config.heads * config.head_dim, bias=False)
        self.k_proj = nn.Linear(config.hidden, config.kv_heads * config.head_dim, bias=False)
        self.v_proj = nn.Linear(config.hidden, config.kv_heads * config.head_dim, bias=False)
        self.o_proj = nn.Linear(config.heads * config.head_dim, config.hidden, bias=False)

    def forward(self, x: Tensor, cache: KVCache, layer: int, window: Window, last: bool = False) -> Tensor:
        """`(n, hidden)` to the same, or with `last` to `(1, hidden)`; new keys and values go into the cache."""
        keys = window.rotate(self._heads(self.k_proj(x)))
        keys, values = cache.append(layer, window, keys, self._heads(self.v_proj(x)))
        if last:
            x, window = x[-1:], window.last()
        queries = window.rotate(self._heads(self.q_proj(x)))
        mixed = attend(queries, keys, values, window, self.grouped)
        out: Tensor = self.o_proj(mixed.transpose(1, 2).reshape(x.shape[0], -1))
        return out

    def _heads(self, x: Tensor) -> Tensor:
        """`(n, heads · head_dim)` to `(1, heads, n, head_dim)`: four dimensions, as the fused kernels want."""
        return x.view(1, x.shape[0], -1, self.head_dim).transpose(1, 2)


class MLP(nn.Module):
    """SwiGLU: down(silu(gate(x)) · up(x))."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden, config.intermediate, bias=False)
        self.up_proj = nn.Linear(config.hidden, config.intermediate, bias=False)
        self.down_proj = nn.Linear(config.intermediate, config.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """`(n, hidden)` to the same."""
        out: Tensor = self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class Layer(nn.Module):
    """One pre-norm decoder layer; `pack` puts a `PackedLayer` in its place."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.self_attn = Attention(config)
        self.mlp = MLP(config)
        self.input_layernorm = RMSNorm(config.hidden, config.rms_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden, config.rms_eps)

    def forward(self, x: Tensor, cache: KVCache, layer: int, window: Window, last: bool = False) -> Tensor:
        """`(n, hidden)` to the same, or to `(1, hidden)` for the last position alone."""
        mixed = self.self_attn(self.input_layernorm(x), cache, layer, window, last)
        x = x[-1:] + mixed if last else x + mixed
        out: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return out

    def packed(self) -> PackedLayer | None:
        """The same of fewer operators, where its weights can be packed."""
        attention, mlp = self.self_attn, self.mlp
        projections = (attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj)
        linears = (*projections, mlp.gate_proj, mlp.up_proj, mlp.down_proj)
        if not all(can_pack(linear.weight) for linear in linears):
            return None
        return PackedLayer(linears, attention.head_dim, self.input_layernorm, self.post_attention_layernorm)


class Layers(nn.ModuleList):
    """The stack of decoder layers, without a final norm."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__(Layer(config) for _ in range(config.layers))

    def forward(self, x: Tensor, cache: KVCache, last: bool = False) -> Tensor:
        """Run `(n, hidden)` as the next n positions of the cached sequence; returns `(n, hidden)`.

        With `last` only the last position comes out, `(1, hidden)`: of the others, the last layer needs no more than
        keys and values.
        """
        out = self.run(x, cache, cache.window(x.shape[0]), last)
        cache.used += x.shape[0]
        return out

    def run(self, x: Tensor, cache: KVCache, window: Window, last: bool = False) -> Tensor:
        """The same at the positions of `window`; how far the cache is filled is the caller's to note."""
        for index, layer in enumerate(self):
            x = layer(x, cache, index, window, last and index == len(self) - 1)
        return x


class _Body(nn.Module):
    """What Hugging Face calls `model`: it exists for the tensor names."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab, config.hidden)
        self.layers = Layers(config)
        self.norm = RMSNorm(config.hidden, config.rms_eps)


class Llama(nn.Module):
    """A Llama language model over one cached sequence."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        self.model = _Body(config)
        if not config.tied:
            self.lm_head = nn.Linear(config.hidden, config.vocab, bias=False)

    @classmethod
    def without_weights(cls, config: LlamaConfig) -> Llama:
        """The model with shapes but no storage (on torch's `meta` device), to be filled by a loader."""
        with Uninitialised(), torch.device("meta"):
            return cls(config).eval().requires_grad_(False)

    def embed(self, ids: Tensor) -> Tensor:
        """Embeddings `(n, hidden)` of ids `(n,)` int64."""
        out: Tensor = self.model.embed_tokens(ids)
        return out

    def forward(self, embeds: Tensor, cache: KVCache) -> Tensor:
        """Take in the next positions `(n, hidden)`; returns the last one's normed state, `(1, hidden)`."""
        out: Tensor = self.model.norm(self.model.layers(embeds, cache, last=True))
        return out

    def step(self, ids: Tensor, cache: KVCache, window: Window) -> tuple[Tensor, Tensor]:
        """Take in ids `(n,)` at `window`: the last one's normed state `(1, hidden)`, and scores `(1, vocab)`."""
        hidden: Tensor = self.model.norm(self.model.layers.run(self.embed(ids), cache, window, last=True))
        return hidden, self.logits(hidden)

    def remember(self, embeds: Tensor, cache: KVCache) -> None:
        """Take in the next positions `(n, hidden)` without asking what comes after them."""
        self.model.layers(embeds, cache, last=True)

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores `(n, vocab)` of the tokens that may follow the states `(n, hidden)`."""
        if self.config.tied:
            return functional.linear(hidden, self.model.embed_tokens.weight)
        out: Tensor = self.lm_head(hidden)
        return out
