"""Llamas of seeded random values at published dimensions, and the canned reply that fixes their work.

Random weights produce nonsense of random length, so the chosen ids are overridden, on the device and after the full
computation. This is never done with other weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from firstpacket.pipelines.models.llama import Llama
from firstpacket.pipelines.models.llama_config import LlamaConfig, RopeScaling
from firstpacket.pipelines.models.sampling import Sampler, Sampling

_ROPE = RopeScaling(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_positions=8192)
_ROPE_3_2 = RopeScaling(factor=32.0, low_freq_factor=1.0, high_freq_factor=4.0, original_positions=8192)
SIZES = {
    "tiny": LlamaConfig(256, 4, 4, 2, 64, 688, 4096, rope_scaling=_ROPE),
    "1b": LlamaConfig(2048, 16, 32, 8, 64, 8192, 128256, rope_scaling=_ROPE_3_2, tied=True),
    "8b": LlamaConfig(4096, 32, 32, 8, 128, 14336, 128256, rope_scaling=_ROPE),
}
"""`1b` has the dimensions of Llama 3.2 1B, `8b` those of Llama 3.1 8B. Shared by the dummies of all pipelines."""


def build(config: LlamaConfig, seed: int, device: torch.device, dtype: torch.dtype) -> Llama:
    """A model of random values drawn on the device: the same for the same seed, device type and precision."""
    llama = Llama.without_weights(config)
    llama.to(dtype).to_empty(device=device)
    randomise(llama, torch.Generator(device).manual_seed(seed))
    return llama


@torch.no_grad()
def randomise(part: nn.Module, generator: torch.Generator) -> None:
    """Matrices at the scale that keeps activations near 1 (std = fan_in^-1/2), norms at one, biases at zero."""
    for name, parameter in part.named_parameters():
        if parameter.dim() > 1:
            parameter.normal_(0.0, parameter[0].numel() ** -0.5, generator=generator)
        else:
            parameter.fill_(0.0 if name.endswith("bias") else 1.0)


class CannedText(Sampler):
    """Every turn says the same reply, whatever was chosen; its last id must be one that ends a turn."""

    def __init__(self, sampling: Sampling, device: torch.device, reply: Sequence[int]) -> None:
        super().__init__(sampling, device)
        self._reply = torch.tensor(reply, device=device)

    def token(self, logits: Tensor, step: int) -> Tensor:
        """Choose in full, then give the reply's id."""
        super().token(logits, step)
        return self._reply[step : step + 1]
