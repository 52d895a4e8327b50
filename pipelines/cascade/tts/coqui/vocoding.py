"""Coqui's HiFi-GAN over a window of its frames: the samples are those of the whole, the work that of the window.

A sample depends on the frames within the receptive field of the convolutions alone. So a window is vocoded with that
many frames on each side, and what they give is cut off again. At the borders of the whole there is nothing to add, and
the convolutions pad as they would there.
"""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn


class Vocoder:
    """A `HifiganGenerator` of Coqui that counts the frames it is run over."""

    def __init__(self, generator: Any) -> None:
        self._generator = generator
        self.hop = math.prod(layer.stride[0] for layer in generator.ups)
        self.context = receptive_field(generator)
        self.frames_run = 0

    def window(self, frames: Tensor, speaker: Tensor | None, start: int, end: int) -> Tensor:
        """Samples `((end - start) * hop,)` of the frames from `start` to `end` of the whole `(1, channels, n)`.

        `speaker` is the voice `(1, channels, 1)`, if the generator takes one.
        """
        first, last = max(0, start - self.context), min(frames.shape[-1], end + self.context)
        self.frames_run += last - first
        sound: Tensor = self._generator(frames[:, :, first:last], g=speaker)[0, 0]
        return sound[(start - first) * self.hop : (end - first) * self.hop]


def receptive_field(generator: Any) -> int:
    """Frames on either side that a sample of the generator depends on.

    The first and last convolutions and the blocks reach half their dilated kernels, at their own rates; a transposed
    convolution reaches half its kernel on the output side. Parallel blocks reach as far as the longest.
    """
    rate, reach = 1, float(_half(generator.conv_pre))
    blocks = list(generator.resblocks)
    for stage, layer in enumerate(generator.ups):
        rate *= layer.stride[0]
        reach += layer.kernel_size[0] / 2 / rate
        parallel = blocks[stage * generator.num_kernels : (stage + 1) * generator.num_kernels]
        reach += max(sum(_half(conv) for conv in _convolutions(block)) for block in parallel) / rate
    return math.ceil(reach + _half(generator.conv_post) / rate)


def _half(convolution: Any) -> int:
    return int((convolution.kernel_size[0] - 1) * convolution.dilation[0] // 2)


def _convolutions(block: Any) -> list[Any]:
    return [module for module in block.modules() if isinstance(module, nn.Conv1d)]
