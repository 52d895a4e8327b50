"""The streaming encoder in training: whole batches at once, with a mask where the runtime has a cache."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from firstpacket.pipelines.direct.llama_omni.blocks import PAST_MELS
from firstpacket.pipelines.tools.training.whisper import Encoder


def encode_in_blocks(encoder: Encoder, mel: Tensor, block: int) -> Tensor:
    """Features `(b, mels, 2 · n)` to `(b, n, state)`: no frame depends on a later block of `block` frames of 20 ms.

    A frame sees its own block and all before it. The convolutions see two features before the block and zeros after it.
    """
    x = _convolved(encoder, mel, block)
    x = x + encoder.positional_embedding[: x.shape[1]]
    bias = later_blocks(x.shape[1], block).to(x.device)
    for each in encoder.blocks:
        x = each(x, bias)
    out: Tensor = encoder.ln_post(x)
    return out


def later_blocks(frames: int, block: int) -> Tensor:
    """What is added to attention's scores `(frames, frames)`: nothing, or minus infinity for keys of later blocks."""
    number = torch.arange(frames) // block
    return torch.zeros(frames, frames).masked_fill(number[None] > number[:, None], -math.inf)


def _convolved(encoder: Encoder, mel: Tensor, block: int) -> Tensor:
    """Blocks are folded into the batch, convolved, and laid side by side again: `(b, n, state)`."""
    rows, _, features = mel.shape
    block = min(block, features // 2)
    missing = -features % (2 * block)
    padded = functional.pad(mel, (PAST_MELS, missing))
    folded = padded.unfold(2, 2 * block + PAST_MELS, 2 * block).transpose(1, 2)
    count = folded.shape[1]
    x = functional.pad(folded.flatten(0, 1), (0, 1))
    x = functional.gelu(functional.conv1d(x, encoder.conv1.weight, encoder.conv1.bias))
    # Before the first block there is nothing, which is what the published padding says.
    begins = (torch.arange(len(x), device=x.device) % count == 0)[:, None]
    x = torch.cat((x[:, :, 0].masked_fill(begins, 0.0)[:, :, None], x[:, :, 1:]), dim=2)
    x = functional.gelu(functional.conv1d(x, encoder.conv2.weight, encoder.conv2.bias, stride=2))
    return x.transpose(1, 2).reshape(rows, count * block, -1)[:, : features // 2]
