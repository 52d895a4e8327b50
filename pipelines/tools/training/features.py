"""Clips as the encoder's features, kept in memory and collated to batches of like length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from firstpacket.bench.pipeline import Samples
from firstpacket.pipelines.direct.llama_omni.config import HOP
from firstpacket.pipelines.direct.llama_omni.features import LogMel

MARGIN = 10
"""Positions of 20 ms kept after a clip before silence is drawn from."""
_ROUNDED_TO = 16
_TAIL = 4
"""Features of silence at a batch's end; see `Encoder.forward`."""


@dataclass(frozen=True, slots=True)
class Masks:
    """How features are hidden in training (SpecAugment, Park et al. 2019): how many masks, and how wide at most."""

    times: int = 2
    longest: int = 12
    bands: int = 2
    widest: int = 10


@dataclass(frozen=True, slots=True)
class ClipFeatures:
    """One clip's features `(mels, 2 · frames)` float16, margin included; beyond them all is `floor`."""

    mel: Tensor
    floor: float

    @property
    def frames(self) -> int:
        """Positions of the encoder."""
        return self.mel.shape[1] // 2


def features(samples: Samples, mels: int) -> ClipFeatures:
    """Features of a clip `(n,)` at 16 kHz, as the encoder's front end makes them."""
    frames = -(-len(samples) // HOP) + 2 * MARGIN
    frames += -frames % _ROUNDED_TO
    mel = _front_end(mels, frames)(samples)
    return ClipFeatures(mel.half(), float(mel.min()))


def collate(
    batch: Sequence[ClipFeatures], masks: Masks | None = None, random: np.random.Generator | None = None
) -> Tensor:
    """Features `(b, mels, 2 · n + 4)` float32 of clips, each followed by its own silence."""
    longest = max(one.mel.shape[1] for one in batch)
    out = torch.stack([torch.full((one.mel.shape[0], longest + _TAIL), one.floor) for one in batch])
    for row, one in zip(out, batch, strict=True):
        row[:, : one.mel.shape[1]] = one.mel
        if masks is not None and random is not None:
            hide(row[:, : one.mel.shape[1]], masks, random)
    return out


def whole(one: ClipFeatures, positions: int) -> Tensor:
    """Features `(1, mels, 2 · positions)` float32: the clip and all the silence that the encoder hears after it."""
    out = torch.full((1, one.mel.shape[0], 2 * positions), one.floor)
    kept = one.mel[:, : 2 * positions]
    out[0, :, : kept.shape[1]] = kept
    return out


def alike(lengths: Sequence[int], count: int) -> Callable[[np.random.Generator], list[int]]:
    """Draws `count` numbers of clips that are about as long as each other; each clip about as often as any."""
    order = np.argsort(np.asarray(lengths), kind="stable")
    count = min(count, len(order))

    def draw(random: np.random.Generator) -> list[int]:
        window = min(len(order), 2 * count)
        first = int(random.integers(-window // 2, len(order) - window // 2))
        first = min(max(first, 0), len(order) - window)
        return [int(place) for place in random.choice(order[first : first + window], count, replace=False)]

    return draw


def hide(mel: Tensor, masks: Masks, random: np.random.Generator) -> None:
    """Hide stretches and bands of features `(mels, n)`, in place."""
    mean = mel.mean()
    for _ in range(masks.times):
        width = int(random.integers(0, masks.longest + 1))
        at = int(random.integers(0, max(1, mel.shape[1] - width)))
        mel[:, at : at + width] = mean
    for _ in range(masks.bands):
        width = int(random.integers(0, masks.widest + 1))
        at = int(random.integers(0, mel.shape[0] - width))
        mel[at : at + width] = mean


@lru_cache(maxsize=64)
def _front_end(mels: int, frames: int) -> LogMel:
    return LogMel(mels, frames, torch.device("cpu"))
