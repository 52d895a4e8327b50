"""The device that a run was asked for."""

from __future__ import annotations

import torch

from firstpacket.bench.errors import MissingDependency


def device_of(name: str) -> torch.device:
    """The torch device of that name. Raises `MissingDependency` for CUDA where torch finds none."""
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise MissingDependency(
            f"Device {name} was asked for, but torch {torch.__version__} finds no CUDA device. "
            "Use --device cpu, or install a CUDA build of torch (`bench doctor` says what is there)."
        )
    return device
