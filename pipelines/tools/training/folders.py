"""The results of a step: `model.safetensors`, `config.json`, `figures.json`, and the log of its training."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from firstpacket.bench.errors import WeightsError
from firstpacket.bench.paths import replace_text

TENSORS, CONFIG, FIGURES = "model.safetensors", "config.json", "figures.json"


def save(folder: Path, tensors: dict[str, Tensor], config: dict[str, Any], figures: dict[str, Any]) -> None:
    """Write a step's result; floating tensors as float32."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = {name: _plain(tensor) for name, tensor in tensors.items()}
    fresh = folder / f"{TENSORS}.new"
    save_file(plain, fresh, {"format": "pt"})
    fresh.replace(folder / TENSORS)
    for name, content in ((CONFIG, config), (FIGURES, figures)):
        replace_text(folder / name, json.dumps(content, indent=1) + "\n")


def tensors(work: Path, step: str) -> dict[str, Tensor]:
    """A step's tensors. Raises `WeightsError` naming the command that makes them."""
    found: dict[str, Tensor] = load_file(_made(work, step, TENSORS))
    return found


def config(work: Path, step: str) -> dict[str, Any]:
    """A step's configuration. Raises `WeightsError`."""
    return dict(json.loads(_made(work, step, CONFIG).read_text("utf-8")))


def digest(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _made(work: Path, step: str, name: str) -> Path:
    path = work / step / name
    if not path.is_file():
        raise WeightsError(f"{path} does not exist. Run this step first: bench train {step} --work {work}")
    return path


def _plain(tensor: Tensor) -> Tensor:
    kept = tensor.detach().cpu().contiguous().clone()
    return kept.to(torch.float32) if kept.is_floating_point() else kept
