"""Log-mel features, equal to openai-whisper's, computed where the model runs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from firstpacket.bench.pipeline import SAMPLE_RATE, Samples
from firstpacket.pipelines.direct.llama_omni.config import HOP, N_FFT

LINEAR_HZ_PER_MEL = 200 / 3
LOG_REGION_HZ = 1000.0
LOG_REGION_MEL = LOG_REGION_HZ / LINEAR_HZ_PER_MEL
LOG_STEP = np.log(6.4) / 27

LOG_SILENCE = -10.0
"""log10 of the least mel power."""


def mel_to_hz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Slaney's scale (Auditory Toolbox): linear below 1 kHz, logarithmic above."""
    linear = mel * LINEAR_HZ_PER_MEL
    logarithmic = LOG_REGION_HZ * np.exp(LOG_STEP * (mel - LOG_REGION_MEL))
    return np.where(mel < LOG_REGION_MEL, linear, logarithmic)


def mel_filters(n_mels: int) -> npt.NDArray[np.float32]:
    """Triangular filters `(n_mels, 201)` from 0 to 8 kHz, each of unit area, as `librosa.filters.mel` gives them."""
    highest_hz = SAMPLE_RATE / 2
    highest_mel = LOG_REGION_MEL + np.log(highest_hz / LOG_REGION_HZ) / LOG_STEP
    corners_hz = mel_to_hz(np.linspace(0.0, highest_mel, n_mels + 2))
    bins_hz = np.linspace(0.0, highest_hz, N_FFT // 2 + 1)
    widths = np.diff(corners_hz)[:, None]
    distance = corners_hz[:, None] - bins_hz[None, :]
    rising = -distance[:-2] / widths[:-1]
    falling = distance[2:] / widths[1:]
    area = 2.0 / (corners_hz[2:] - corners_hz[:-2])
    filters: npt.NDArray[np.float32] = (np.maximum(0.0, np.minimum(rising, falling)) * area[:, None]).astype(np.float32)
    return filters


class _Spectrum:
    """Mel power of overlapping windows."""

    def __init__(self, n_mels: int, device: torch.device) -> None:
        self.n_mels = n_mels
        # Each filter twice in a row: it adds up the squares of real and imaginary parts, which lie side by side.
        self._filters = torch.from_numpy(mel_filters(n_mels)).repeat_interleave(2, dim=1).to(device)
        self._window = torch.hann_window(N_FFT, device=device)

    def __call__(self, audio: Tensor) -> Tensor:
        """log10 of the power `(n_mels, n)` in every window of samples `(N_FFT - HOP + n · HOP,)`."""
        spectrum = torch.fft.rfft(audio.unfold(0, N_FFT, HOP) * self._window)
        squares = torch.view_as_real(spectrum).square().flatten(1)
        return (self._filters @ squares.T).clamp_(min=10**LOG_SILENCE).log10_()


class LogMel:
    """The front end of the speech encoder: a window of `frames` mel frames whatever the length of the audio."""

    def __init__(self, n_mels: int, frames: int, device: torch.device) -> None:
        self._frames = frames
        self._device = device
        self._spectrum = _Spectrum(n_mels, device)

    def __call__(self, samples: Samples) -> Tensor:
        """Features `(n_mels, frames)` float32 of 16 kHz samples `(n,)`, padded with silence or cut to the window.

        log10 of the mel power, floored at 8 below its maximum, then (x + 4) / 4 (openai-whisper, audio.py). Windows
        are centred on the beginning of their hop; the sound is mirrored at both ends.
        """
        kept = torch.tensor(samples[: self._frames * HOP], dtype=torch.float32)
        audible = self._audible(kept.shape[0])
        audio = torch.zeros(audible * HOP, device=self._device)
        audio[: kept.shape[0]] = kept.to(self._device)
        mirrored = functional.pad(audio[None], (N_FFT // 2, N_FFT // 2), mode="reflect")[0, :-HOP]
        mel = torch.full((self._spectrum.n_mels, self._frames), LOG_SILENCE, device=self._device)
        mel[:, :audible] = self._spectrum(mirrored)
        floor = mel.max() - 8.0
        mel[:, :audible].clamp_(min=floor)
        mel[:, audible:] = floor.clamp(min=LOG_SILENCE)
        return mel.add_(4.0).div_(4.0)

    def _audible(self, samples: int) -> int:
        """Frames up to the last whose window meets any of so many samples: those after it are silence, and known.

        On a GPU all are computed: there, a transform of a new length costs more than the silence.
        """
        return self._frames if self._device.type == "cuda" else min(self._frames, -(-(samples + N_FFT) // HOP))


LOG_CEILING = 1.5
"""Stands for the utterance's maximum, which is known only at its end: values are floored at 8 below it."""

CAUSAL_SILENCE = (LOG_CEILING - 8.0 + 4.0) / 4.0
"""The causal features of silence."""


class CausalLogMel:
    """The front end of a streaming encoder: every mel frame ends with its hop, and nothing after it is heard."""

    def __init__(self, n_mels: int, device: torch.device) -> None:
        self._device = device
        self._spectrum = _Spectrum(n_mels, device)

    def __call__(self, samples: Samples) -> Tensor:
        """Features `(n_mels, n)` float32 of 16 kHz samples `(N_FFT - HOP + n · HOP,)`: all but the hops are past.

        As `LogMel`, but the floor is fixed, at 8 below `LOG_CEILING`.
        """
        # Without a wait for what the device still does for the block before.
        mel = self._spectrum(torch.from_numpy(samples).to(self._device, non_blocking=True))
        return (mel.clamp(min=LOG_CEILING - 8.0) + 4.0) / 4.0
