"""A key/value cache for one sequence, in memory of fixed size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from firstpacket.pipelines.models.llama_config import LlamaConfig, RopeScaling


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


def bytes_per_position(config: LlamaConfig, dtype: torch.dtype) -> int:
    """Bytes that the keys and values of one position take in all layers."""
    return 2 * config.layers * config.kv_heads * config.head_dim * dtype.itemsize


class KVCache:
    """Keys and values of up to `length` positions, preallocated.

    It also holds the rotations of those positions. `used` is the number of positions filled; set it back for another
    sequence that begins with the same so many positions.
    """

    def __init__(self, config: LlamaConfig, length: int, device: torch.device, dtype: torch.dtype) -> None:
        shape = (config.layers, 1, config.kv_heads, length, config.head_dim)
        self.length = length
        self.used = 0
        self._keys = torch.zeros(shape, device=device, dtype=dtype)
        self._values = torch.zeros(shape, device=device, dtype=dtype)
        self._layers = tuple(zip(self._keys, self._values, strict=True))
        self._positions = torch.arange(length, device=device)
        frequencies = inverse_frequencies(config.head_dim, config.rope_theta, config.rope_scaling, device)
        angles = torch.outer(self._positions.float(), frequencies)
        self._cos = torch.cat((angles.cos(), angles.cos()), dim=-1).to(dtype)
        self._sin = torch.cat((-angles.sin(), angles.sin()), dim=-1).to(dtype)

    @property
    def nbytes(self) -> int:
        """Bytes taken by keys and values."""
        return self._keys.nbytes + self._values.nbytes

    def next_places(self, new: int) -> Tensor:
        """Positions `(new,)` int64 that come next, on the device. Raises `ValueError` when they do not fit."""
        if self.used + new > self.length:
            raise ValueError(f"{self.used} + {new} positions do not fit a cache of {self.length}")
        return self._positions[self.used : self.used + new]

    def window(self, new: int) -> Window:
        """The next `new` positions, seen by every layer alike. Raises `ValueError` when they do not fit."""
        places = self.next_places(new)
        start, end = self.used, self.used + new
        causal = start == 0 and new > 1
        mask = self._seen(start, end) if start > 0 and new > 1 else None
        return Window(places, end, self._cos[start:end], self._sin[start:end], causal, mask, start)

    def _seen(self, start: int, end: int) -> Tensor:
        """What is added to the scores `(end - start, end)` of positions: nothing if seen, minus infinity if later."""
        shape = (end - start, end)
        return torch.full(shape, -math.inf, device=self._keys.device, dtype=self._keys.dtype).triu_(start + 1)

    def window_at(self, places: Tensor, length: int) -> Window:
        """Positions `places` `(n,)` known to the device alone, all below `length`.

        Such a step depends on `length` only, so it can be recorded once and replayed at any position below.
        """
        mask = self._positions[:length] <= places[:, None]
        return Window(places, length, self._cos[places], self._sin[places], False, mask)

    def append(self, layer: int, window: Window, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Store keys and values `(1, kv_heads, new, head_dim)` of a layer; returns all that the window sees."""
        stored = self._layers[layer]
        for memory, new in zip(stored, (keys, values), strict=True):
            if window.start is None:
                memory.index_copy_(2, window.places, new)
            else:
                memory[:, :, window.start : window.length] = new
        return stored[0][:, :, : window.length], stored[1][:, :, : window.length]


@dataclass(frozen=True, slots=True)
class Window:
    """New positions of a sequence: their places, rotations, and attention mask over `length`.

    `start` is the first place, if the host knows it: then the places are those from there to `length`.
    """

    places: Tensor
    length: int
    cos: Tensor
    sin: Tensor
    causal: bool
    mask: Tensor | None
    start: int | None = None

    def last(self) -> Window:
        """The last of the positions alone: up to itself, it sees all."""
        mask = self.mask[-1:] if self.mask is not None and self.start is None else None
        return Window(self.places[-1:], self.length, self.cos[-1:], self.sin[-1:], False, mask)

    def rotate(self, x: Tensor) -> Tensor:
        """RoPE on `(..., new, head_dim)`; the sign of rotate_half is kept in `sin`, which spares a copy."""
        return torch.addcmul(x * self.cos, x.roll(x.shape[-1] // 2, -1), self.sin)
