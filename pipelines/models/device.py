"""The device of a run."""

from __future__ import annotations

import torch

from firstpacket.bench.errors import MissingDependency


def device_of(name: str) -> torch.device:
    """The torch device of that name. Raises `MissingDependency` for CUDA if torch finds none."""
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise MissingDependency(
            f"--device {name} needs CUDA, but torch {torch.__version__} finds no CUDA device. Use --device cpu, or "
            "install a CUDA build of torch (`bench doctor` shows what is installed)."
        )
    return device
