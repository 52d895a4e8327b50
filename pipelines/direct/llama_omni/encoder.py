"""The encoder of openai-whisper, with the tensor names of its `.pt` files.

LayerNorms are plain `nn.LayerNorm`: as in the published model they run in the model's own precision.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from firstpacket.pipelines.direct.llama_omni.config import EncoderConfig


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
        queries, keys, values = (self._split(part(x)) for part in (self.query, self.key, self.value))
        mixed = _attend(queries, keys, values)
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)


def _attend(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Attention of `(1, heads, frames, width)`, all three, to the same.

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

    def forward(self, x: Tensor) -> Tensor:
        """`(1, frames, state)` to the same."""
        x = x + self.attn(self.attn_ln(x))
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
        x = mel.to(self.positional_embedding.dtype)[None]
        x = functional.gelu(self.conv1(x))
        x = functional.gelu(self.conv2(x))
        x = x.transpose(1, 2)
        x = x + self.positional_embedding[: x.shape[1]]
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.ln_post(x)
        return out
