"""A Llama decoder with a key/value cache of fixed size: RMSNorm, RoPE, grouped-query attention, SwiGLU.

Tensor names are those of Hugging Face's checkpoints. Everything works on one sequence: there is no batch dimension.
Nothing here reads from the device, so a step can be launched before the last one has ended.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.errors import WeightsError


@dataclass(frozen=True, slots=True)
class RopeScaling:
    """How Llama 3.1 stretches the rotations of long wavelengths."""

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_positions: int


@dataclass(frozen=True, slots=True)
class LlamaConfig:
    """Sizes of a Llama decoder."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    rms_eps: float = 1e-5
    rope_theta: float = 500_000.0
    rope_scaling: RopeScaling | None = None
    tied: bool = False
    """Whether the output matrix is the embedding matrix."""

    @classmethod
    def from_json(cls, json: Mapping[str, Any], where: str) -> LlamaConfig:
        """Parse a Hugging Face `config.json`. Raises `WeightsError` naming `where` and the field at fault."""
        try:
            theta, scaling = _rope_from_json(json, where)
            return cls(
                hidden=int(json["hidden_size"]),
                layers=int(json["num_hidden_layers"]),
                heads=int(json["num_attention_heads"]),
                kv_heads=int(json.get("num_key_value_heads", json["num_attention_heads"])),
                head_dim=int(json.get("head_dim") or json["hidden_size"] // json["num_attention_heads"]),
                intermediate=int(json["intermediate_size"]),
                vocab=int(json["vocab_size"]),
                rms_eps=float(json.get("rms_norm_eps", 1e-5)),
                rope_theta=theta,
                rope_scaling=scaling,
                tied=bool(json.get("tie_word_embeddings", False)),
            )
        except KeyError as error:
            raise WeightsError(f"{where} has no field {error}, which a Llama decoder needs. Is it complete?") from error


def _rope_from_json(json: Mapping[str, Any], where: str) -> tuple[float, RopeScaling | None]:
    """Theta and scaling, from the flat fields or from `rope_parameters` (transformers 5)."""
    nested: Mapping[str, Any] = json.get("rope_parameters") or {}
    theta = float(nested.get("rope_theta", json.get("rope_theta", 10_000.0)))
    fields: Mapping[str, Any] = json.get("rope_scaling") or nested
    kind = fields.get("rope_type", "default")
    if kind == "default":
        return theta, None
    if kind != "llama3":
        raise WeightsError(f"{where} asks for rope_type '{kind}'; only 'default' and 'llama3' are built here.")
    return theta, RopeScaling(
        factor=float(fields["factor"]),
        low_freq_factor=float(fields["low_freq_factor"]),
        high_freq_factor=float(fields["high_freq_factor"]),
        original_positions=int(fields["original_max_position_embeddings"]),
    )


def inverse_frequencies(head_dim: int, theta: float, scaling: RopeScaling | None, device: torch.device) -> Tensor:
    """Rotation per position of each pair of channels, `(head_dim / 2,)` float32 radians.

    Wavelengths above `original / low_freq_factor` are stretched by `factor`, those below `original / high_freq_factor`
    are kept, and in between the two are blended linearly (Llama 3.1's rope_type "llama3").
    """
    exponents = torch.arange(0, head_dim, 2, dtype=torch.float32, device=device) / head_dim
    frequencies: Tensor = 1.0 / theta**exponents
    if scaling is None:
        return frequencies
    turns = scaling.original_positions * frequencies / (2 * math.pi)
    kept = ((turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor)).clamp(0, 1)
    return frequencies * ((1 - kept) / scaling.factor + kept)


class KVCache:
    """What a decoder remembers of one sequence: keys and values of up to `length` positions, preallocated.

    It also holds the rotations of those positions. `used` is the number of positions filled; set it to 0 for a new
    sequence.
    """

    def __init__(self, config: LlamaConfig, length: int, device: torch.device, dtype: torch.dtype) -> None:
        shape = (config.layers, 1, config.kv_heads, length, config.head_dim)
        self.length = length
        self.used = 0
        self._keys = torch.empty(shape, device=device, dtype=dtype)
        self._values = torch.empty(shape, device=device, dtype=dtype)
        self._positions = torch.arange(length, device=device)
        frequencies = inverse_frequencies(config.head_dim, config.rope_theta, config.rope_scaling, device)
        angles = torch.outer(self._positions.float(), frequencies)
        self._cos = torch.cat((angles.cos(), angles.cos()), dim=-1).to(dtype)
        self._sin = torch.cat((-angles.sin(), angles.sin()), dim=-1).to(dtype)

    @property
    def nbytes(self) -> int:
        """Bytes taken by keys and values."""
        return self._keys.nbytes + self._values.nbytes

    def window(self, new: int) -> Window:
        """The next `new` positions, seen by every layer alike. Raises `ValueError` when they do not fit."""
        if self.used + new > self.length:
            raise ValueError(f"{self.used} + {new} positions do not fit a cache of {self.length}")
        start, end = self.used, self.used + new
        causal = start == 0 and new > 1
        mask = None
        if start > 0 and new > 1:
            mask = self._positions[:end] <= self._positions[start:end, None]
        return Window(start, end, self._cos[start:end], self._sin[start:end], causal, mask)

    def append(self, layer: int, window: Window, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Store keys and values `(1, kv_heads, new, head_dim)` of a layer; returns all up to the window's end."""
        self._keys[layer, :, :, window.start : window.end] = keys
        self._values[layer, :, :, window.start : window.end] = values
        return self._keys[layer, :, :, : window.end], self._values[layer, :, :, : window.end]


@dataclass(frozen=True, slots=True)
class Window:
    """Positions `start` to `end`: their rotations, and what they may look at."""

    start: int
    end: int
    cos: Tensor
    sin: Tensor
    causal: bool
    mask: Tensor | None

    def rotate(self, x: Tensor) -> Tensor:
        """RoPE on `(..., new, head_dim)`; the sign of rotate_half is kept in `sin`, which spares a copy."""
        return torch.addcmul(x * self.cos, x.roll(x.shape[-1] // 2, -1), self.sin)


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

    def forward(self, x: Tensor, cache: KVCache, layer: int, window: Window) -> Tensor:
        """`(n, hidden)` to the same; the new keys and values go into the cache."""
        queries = window.rotate(self._heads(self.q_proj(x)))
        keys = window.rotate(self._heads(self.k_proj(x)))
        keys, values = cache.append(layer, window, keys, self._heads(self.v_proj(x)))
        mixed = functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=window.mask, is_causal=window.causal, enable_gqa=self.grouped
        )
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
    """One pre-norm decoder layer."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.self_attn = Attention(config)
        self.mlp = MLP(config)
        self.input_layernorm = RMSNorm(config.hidden, config.rms_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden, config.rms_eps)

    def forward(self, x: Tensor, cache: KVCache, layer: int, window: Window) -> Tensor:
        """`(n, hidden)` to the same."""
        x = x + self.self_attn(self.input_layernorm(x), cache, layer, window)
        out: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return out


class Layers(nn.ModuleList):
    """The stack of decoder layers, without a final norm."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__(Layer(config) for _ in range(config.layers))

    def forward(self, x: Tensor, cache: KVCache) -> Tensor:
        """Run `(n, hidden)` as the next n positions of the cached sequence; returns `(n, hidden)`."""
        window = cache.window(x.shape[0])
        for index, layer in enumerate(self):
            x = layer(x, cache, index, window)
        cache.used = window.end
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

    def embed(self, ids: Tensor) -> Tensor:
        """Embeddings `(n, hidden)` of ids `(n,)` int64."""
        out: Tensor = self.model.embed_tokens(ids)
        return out

    def forward(self, embeds: Tensor, cache: KVCache) -> Tensor:
        """Take in the next positions `(n, hidden)`; returns the last one's normed state, `(1, hidden)`."""
        out: Tensor = self.model.norm(self.model.layers(embeds, cache)[-1:])
        return out

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores `(n, vocab)` of the tokens that may follow the states `(n, hidden)`."""
        if self.config.tied:
            return functional.linear(hidden, self.model.embed_tokens.weight)
        out: Tensor = self.lm_head(hidden)
        return out
