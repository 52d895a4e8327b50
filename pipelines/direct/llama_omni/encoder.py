"""The encoder of openai-whisper, with the tensor names of its `.pt` files.

LayerNorms are plain `nn.LayerNorm`: as in the published model they run in the model's own precision.
It encodes speech as a whole, or block by block: then a frame sees its own block and those before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from firstpacket.pipelines.direct.llama_omni.config import EncoderConfig
from firstpacket.pipelines.models.packing import can_pack, pack, packed_linear


class EncoderCache:
    """Keys and values of the frames encoded so far, preallocated for all that the encoder can hear."""

    def __init__(self, config: EncoderConfig, device: torch.device, dtype: torch.dtype) -> None:
        shape = (config.layers, 1, config.heads, config.positions, config.state // config.heads)
        self.used = 0
        """Frames so far; set it to 0 for another utterance."""
        self._keys = torch.zeros(shape, device=device, dtype=dtype)
        self._values = torch.zeros(shape, device=device, dtype=dtype)

    @staticmethod
    def bytes_of(config: EncoderConfig, dtype: torch.dtype) -> int:
        """Bytes that such a cache takes."""
        return 2 * config.layers * config.positions * config.state * dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes taken by keys and values."""
        return self._keys.nbytes + self._values.nbytes

    def layer(self, index: int) -> LayerCache:
        """The part of one layer."""
        return LayerCache(self._keys[index], self._values[index], self.used)


@dataclass(frozen=True, slots=True)
class LayerCache:
    """Keys and values `(1, heads, positions, width)` of one layer, the first `used` of which are known."""

    keys: Tensor
    values: Tensor
    used: int

    def append(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Store those of the next frames `(1, heads, new, width)`; returns all so far."""
        end = self.used + keys.shape[2]
        self.keys[:, :, self.used : end] = keys
        self.values[:, :, self.used : end] = values
        return self.keys[:, :, :end], self.values[:, :, :end]


class SelfAttention(nn.Module):
    """Full self-attention; the key projection has no bias."""

    def __init__(self, state: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(state, state)
        self.key = nn.Linear(state, state, bias=False)
        self.value = nn.Linear(state, state)
        self.out = nn.Linear(state, state)

    def forward(self, x: Tensor) -> Tensor:
        """`(1, frames, state)` to the same."""
        return self._mixed(*self._projected(x))

    def after(self, x: Tensor, before: LayerCache) -> Tensor:
        """The same for frames that also see those of a cache, and are added to it."""
        queries, keys, values = self._projected(x)
        return self._mixed(queries, *before.append(keys, values))

    def packed(self) -> PackedAttention | None:
        """The same of fewer operators, where its weights can be packed."""
        parts = (self.query, self.key, self.value, self.out)
        return PackedAttention(self) if all(can_pack(part.weight) for part in parts) else None

    def _projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each `(1, heads, frames, width)`."""
        return self._split(self.query(x)), self._split(self.key(x)), self._split(self.value(x))

    def _mixed(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        mixed = _attend(queries, keys, values)
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)


class PackedAttention(SelfAttention):
    """Queries, keys and values come from one matrix."""

    def __init__(self, plain: SelfAttention) -> None:
        nn.Module.__init__(self)
        self.heads = plain.heads
        parts = (plain.query, plain.key, plain.value)
        biases = (plain.query.bias, torch.zeros_like(plain.query.bias), plain.value.bias)
        self.joined = packed_linear(torch.cat([part.weight for part in parts]), torch.cat(biases))
        self.out = plain.out
        pack(self)

    def packed(self) -> None:
        """It is."""

    def _projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        queries, keys, values = (self._split(part) for part in self.joined(x).chunk(3, dim=-1))
        return queries, keys, values


def _attend(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Attention of `(1, heads, frames, width)`, all three, to the same as the queries.

    On the CPU in bfloat16, torch's fused kernel leaves the bfloat16 instructions unused that plain products of
    matrices take; head by head the scores stay in the processor's cache.
    """
    if queries.device.type != "cpu" or queries.dtype != torch.bfloat16:
        return functional.scaled_dot_product_attention(queries, keys, values)
    mixed, scaled = torch.empty_like(queries), queries[0] * queries.shape[-1] ** -0.5
    for head, out in enumerate(mixed[0]):
        out.copy_((scaled[head] @ keys[0, head].T).softmax(dim=-1) @ values[0, head])
    return mixed


class Block(nn.Module):
    """One pre-norm transformer block."""

    def __init__(self, state: int, heads: int) -> None:
        super().__init__()
        self.attn = SelfAttention(state, heads)
        self.attn_ln = nn.LayerNorm(state)
        self.mlp = nn.Sequential(nn.Linear(state, 4 * state), nn.GELU(), nn.Linear(4 * state, state))
        self.mlp_ln = nn.LayerNorm(state)

    def forward(self, x: Tensor, before: LayerCache | None = None) -> Tensor:
        """`(1, frames, state)` to the same; with a cache as in `SelfAttention.after`."""
        normed = self.attn_ln(x)
        x = x + (self.attn(normed) if before is None else self.attn.after(normed, before))
        out: Tensor = x + self.mlp(self.mlp_ln(x))
        return out


class SpeechEncoder(nn.Module):
    """Two convolutions, the second halving the frame rate, positions, transformer blocks, a last norm."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(config.mels, config.state, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(config.state, config.state, kernel_size=3, stride=2, padding=1)
        self.positional_embedding = nn.Parameter(torch.zeros(config.positions, config.state))
        self.blocks = nn.ModuleList(Block(config.state, config.heads) for _ in range(config.layers))
        self.ln_post = nn.LayerNorm(config.state)

    def forward(self, mel: Tensor) -> Tensor:
        """Features `(mels, 2 · n)` of any float type to `(1, n, state)` in the model's type; `n` up to `positions`."""
        x = self._convolved(mel)
        x = x + self.positional_embedding[: x.shape[1]]
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.ln_post(x)
        return out

    def encode_block(self, mel: Tensor, cache: EncoderCache) -> Tensor:
        """The next features `(mels, 2 · n)` of an utterance to `(1, n, state)`; they see no later ones.

        From the second block on, `mel` begins with the two frames before it, which the convolutions see once more.
        """
        start = cache.used
        x = self._convolved(mel)[:, 1 if start else 0 :]
        end = start + x.shape[1]
        x = x + self.positional_embedding[start:end]
        for index, block in enumerate(self.blocks):
            x = block(x, cache.layer(index))
        cache.used = end
        out: Tensor = self.ln_post(x)
        return out

    def _convolved(self, mel: Tensor) -> Tensor:
        x = mel.to(self.positional_embedding.dtype)[None]
        x = functional.gelu(self.conv1(x))
        x = functional.gelu(self.conv2(x))
        return x.transpose(1, 2)
