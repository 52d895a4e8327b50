"""Features of a corpus' clips, made once and kept: every step and every seed hears the same."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from firstpacket.pipelines.tools.training.data import Clip, sound
from firstpacket.pipelines.tools.training.features import ClipFeatures, features

_FOLDER = "features"


def heard(clips: Sequence[Clip], mels: int, work: Path) -> list[ClipFeatures]:
    """Features of some clips, in their order; kept in `work/features/`, under a name made of the files' hashes.

    Raises `CorpusError` for a clip that cannot be read.
    """
    path = work / _FOLDER / f"{name_of(clips, mels)}.safetensors"
    if not path.is_file():
        made = [features(sound(clip.path), mels) for clip in clips]
        _keep(path, made)
        return made
    kept = load_file(path)
    parts = torch.split(kept["mel"], kept["lengths"].tolist(), dim=1)
    return [ClipFeatures(mel, float(floor)) for mel, floor in zip(parts, kept["floors"], strict=True)]


def _keep(path: Path, made: Sequence[ClipFeatures]) -> None:
    tensors = {
        "mel": torch.cat([one.mel for one in made], dim=1),
        "lengths": torch.tensor([one.mel.shape[1] for one in made]),
        "floors": torch.tensor([one.floor for one in made], dtype=torch.float64),
    }
    save_kept(path, tensors)


def save_kept(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write a file of tensors whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    save_file(tensors, fresh)
    fresh.replace(path)


def name_of(clips: Sequence[Clip], mels: int) -> str:
    """A name that changes with the clips, their order, and the number of mel bands."""
    lines = "\n".join(f"{clip.id} {clip.sha256} {clip.path.stat().st_size}" for clip in clips)
    return f"{mels}-{hashlib.sha256(lines.encode()).hexdigest()[:24]}"
