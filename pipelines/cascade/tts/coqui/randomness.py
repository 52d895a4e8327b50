"""Random numbers that belong to one phrase."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Randomness:
    """The state of torch's generators for one phrase: the same for the same seed, whatever else draws in between.

    Coqui draws from torch's global generators. Inside `drawing` they hold this phrase's state, outside what they held
    before, so that a phrase spoken in parts sounds the same as one spoken at once, and disturbs no other engine.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self._seed = seed
        self._devices = [device] if device.type == "cuda" else []
        self._cpu: torch.Tensor | None = None
        self._cuda: list[torch.Tensor] = []

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Draw as this phrase inside."""
        with torch.random.fork_rng(devices=self._devices):
            if self._cpu is None:
                torch.manual_seed(self._seed)
            else:
                torch.set_rng_state(self._cpu)
                for device, state in zip(self._devices, self._cuda, strict=True):
                    torch.cuda.set_rng_state(state, device)
            yield
            self._cpu = torch.get_rng_state()
            self._cuda = [torch.cuda.get_rng_state(device) for device in self._devices]
