"""What Whisper's checkpoints hold that is computed, not learnt: positions, and a row for every word."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sinusoids(length: int, state: int) -> Tensor:
    """Whisper's fixed positions `(length, state)`: sines, then cosines, of periods from 2π to 20000π."""
    step = math.log(10000) / (state // 2 - 1)
    speeds = torch.exp(-step * torch.arange(state // 2, dtype=torch.float64))
    angles = torch.arange(length, dtype=torch.float64)[:, None] * speeds[None, :]
    return torch.cat((angles.sin(), angles.cos()), dim=1).float()


def full_embedding(rows: Tensor, ids: Tensor, other: Tensor, vocab: int) -> Tensor:
    """The embedding `(vocab, state)` as it is published: every word not among `ids` has the row `other`."""
    full = other.expand(vocab, -1).clone()
    full[ids] = rows.to(full.dtype)
    return full
