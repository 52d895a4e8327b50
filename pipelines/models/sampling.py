"""Samples the next text token from a model's scores, on the device."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Sampling:
    """How text tokens are chosen: greedily at temperature 0, else by nucleus sampling with `seed`."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


class Sampler:
    """Chooses tokens, turn after turn; subclasses may override the choice."""

    def __init__(self, sampling: Sampling, device: torch.device, ends: Iterable[int] = (), fewest: int = 0) -> None:
        """None of `ends` is chosen among the first `fewest` tokens."""
        self._sampling = sampling
        self._generator = torch.Generator(device)
        self._ends = torch.tensor(sorted(ends), dtype=torch.int64, device=device)
        self._fewest = fewest

    def begin(self) -> None:
        """A new turn; forgets everything of the last one."""
        self._generator.manual_seed(self._sampling.seed)

    def token(self, logits: Tensor, step: int) -> Tensor:
        """The `step`-th text token `(1,)` int64 from scores `(1, vocab)`."""
        if step < self._fewest:
            logits = logits.index_fill(-1, self._ends, -torch.inf)
        if self._sampling.temperature == 0.0:
            return logits.argmax(dim=-1)
        return _sampled(logits.float(), self._sampling, self._generator)


def _sampled(logits: Tensor, sampling: Sampling, generator: torch.Generator) -> Tensor:
    """Nucleus sampling without waiting for the device: the largest p / e, with e ~ Exp(1), is a sample of p."""
    probabilities, order = (logits / sampling.temperature).softmax(dim=-1).sort(dim=-1, descending=True)
    before = probabilities.cumsum(dim=-1) - probabilities
    # The likeliest token is always kept: nothing comes before it.
    kept = torch.where(before < sampling.top_p, probabilities, 0.0)
    noise = torch.empty_like(kept).exponential_(generator=generator)
    place = (kept / noise).argmax(dim=-1, keepdim=True)
    return order.gather(-1, place)[:, 0]
