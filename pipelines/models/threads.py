"""How many threads torch's operators take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

ONE_CORE_BYTES = 4 * 2**20
"""A weight up to this size takes one core 0.2 ms to read; to share that among threads, they must be woken first."""


def fits_one_core(*modules: nn.Module) -> bool:
    """Whether all weights are on the CPU and small: a step of few positions is then the work of one thread."""
    weights = [weight for module in modules for weight in module.parameters()]
    return all(weight.device.type == "cpu" and weight.nbytes <= ONE_CORE_BYTES for weight in weights)


@contextmanager
def one_thread(wanted: bool = True) -> Iterator[None]:
    """Operators run in the calling thread alone, if `wanted`."""
    before = torch.get_num_threads()
    if not wanted or before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
