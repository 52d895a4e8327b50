"""Chooses tokens, labels and durations from the model's scores, on the device."""

from __future__ import annotations

from torch import Tensor

from firstpacket.pipelines.models.sampling import Sampler, Sampling

__all__ = ["Choices", "Sampling"]


class Choices(Sampler):
    """Chooses tokens, labels and durations; subclasses may override what was chosen."""

    def labels(self, logits: Tensor, step: int) -> Tensor:
        """CTC labels `(λ,)` int64 of the `step`-th text token from scores `(λ, units + 1)`."""
        return logits.argmax(dim=-1)

    def durations(self, predicted: Tensor, first: int) -> Tensor:
        """Frames per unit `(n,)` int64 for a chunk whose first unit is the turn's `first`-th."""
        return predicted

    def wave(self, wave: Tensor) -> Tensor:
        """The wave as it is sent."""
        return wave
