"""Lets Coqui TTS be imported where torchaudio and torchcodec are missing or do not work.

Coqui looks for both before it imports anything, and uses only a little of torchaudio to speak: the mel spectrogram of
XTTS's speaker encoder, whose window and filters are tensors of every published checkpoint. PyPI's torchaudio is linked
against CUDA and cannot be imported with a CPU build of torch. So stand-ins take the place of what does not work, in
this process alone and only while Coqui is being imported: no other library sees them, and no installed file changes.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

NAMES = ("torchaudio", "torchcodec")
INSTALLED = "installed"
STAND_IN = "stand-in"


@contextmanager
def importable() -> Iterator[str]:
    """Coqui can be imported inside; gives which torchaudio it gets, `INSTALLED` or `STAND_IN`."""
    _settle_transformers()
    broken = [name for name in NAMES if not _works(name)]
    for name in broken:
        sys.modules[name] = _stand_in(name)
    try:
        yield STAND_IN if "torchaudio" in broken else INSTALLED
    finally:
        for name in broken:
            sys.modules.pop(name, None)


def _works(name: str) -> bool:
    try:
        importlib.import_module(name)
    except Exception:  # a library linked against another torch raises OSError or RuntimeError
        for module in [loaded for loaded in sys.modules if loaded.split(".")[0] == name]:
            del sys.modules[module]
        return False
    return True


def _settle_transformers() -> None:
    """Let transformers, which remembers the answer, look for torchaudio before there is a stand-in."""
    importlib.import_module("transformers.utils").is_torchaudio_available()


def _stand_in(name: str) -> ModuleType:
    module = ModuleType(name, "Stands in for a library that does not work here, while Coqui TTS is being imported.")
    module.__spec__ = ModuleSpec(name, None)
    if name == "torchaudio":
        transforms = ModuleType("torchaudio.transforms")
        transforms.__dict__.update(MelSpectrogram=MelSpectrogram, Resample=_Resample)
        module.__dict__.update(transforms=transforms)
    return module


class MelSpectrogram(nn.Module):
    """`torchaudio.transforms.MelSpectrogram` as far as Coqui's speaker encoder uses it, with the same tensor names."""

    def __init__(
        self, sample_rate: int, n_fft: int, win_length: int, hop_length: int, window_fn: Any, n_mels: int
    ) -> None:
        super().__init__()
        self.n_fft, self.win_length, self.hop_length = n_fft, win_length, hop_length
        self.spectrogram, self.mel_scale = nn.Module(), nn.Module()
        self.spectrogram.register_buffer("window", window_fn(win_length))
        self.mel_scale.register_buffer("fb", _triangles(sample_rate, n_fft, n_mels))

    def forward(self, samples: Tensor) -> Tensor:
        """Mel power spectra `(..., n_mels, frames)` of samples `(..., n)`, frames centred and reflected at the ends."""
        window, filters = self.spectrogram.get_buffer("window"), self.mel_scale.get_buffer("fb")
        flat = samples.reshape(-1, samples.shape[-1])
        spectrum = torch.stft(
            flat, self.n_fft, self.hop_length, self.win_length, window, center=True, return_complex=True
        )
        mels = (spectrum.abs().square().transpose(-1, -2) @ filters).transpose(-1, -2)
        return mels.reshape(*samples.shape[:-1], *mels.shape[-2:])


def _triangles(sample_rate: int, n_fft: int, n_mels: int) -> Tensor:
    """Triangular filters `(n_fft / 2 + 1, n_mels)`, equally spaced on the mel scale of HTK, up to half the rate."""
    top = 2595 * torch.log10(torch.tensor(1 + sample_rate / 2 / 700))
    centres = 700 * (10 ** (torch.linspace(0, float(top), n_mels + 2) / 2595) - 1)
    frequencies = torch.linspace(0, sample_rate // 2, n_fft // 2 + 1)[:, None]
    rising = (frequencies - centres[:-2]) / (centres[1:-1] - centres[:-2])
    falling = (centres[2:] - frequencies) / (centres[2:] - centres[1:-1])
    return torch.minimum(rising, falling).clamp(min=0)


class _Resample(nn.Module):
    """Coqui makes one for training at another rate and drops it before speaking."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def forward(self, _: Tensor) -> Tensor:
        raise NotImplementedError("Resampling needs torchaudio, which does not work here.")
