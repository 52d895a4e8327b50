"""Log-mel features, equal to openai-whisper's, computed where the model runs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from firstpacket.bench.pipeline import SAMPLE_RATE, Samples
from firstpacket.pipelines.direct.llama_omni.config import HOP, N_FFT

LINEAR_HZ_PER_MEL = 200 / 3
LOG_REGION_HZ = 1000.0
LOG_REGION_MEL = LOG_REGION_HZ / LINEAR_HZ_PER_MEL
LOG_STEP = np.log(6.4) / 27


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


class LogMel:
    """The front end of the speech encoder: a window of `frames` mel frames whatever the length of the audio."""

    def __init__(self, n_mels: int, frames: int, device: torch.device) -> None:
        self._samples = frames * HOP
        self._device = device
        self._filters = torch.from_numpy(mel_filters(n_mels)).to(device)
        self._window = torch.hann_window(N_FFT, device=device)

    def __call__(self, samples: Samples) -> Tensor:
        """Features `(n_mels, frames)` float32 of 16 kHz samples `(n,)`, padded with silence or cut to the window.

        log10 of the mel power, floored at 8 below its maximum, then (x + 4) / 4 (openai-whisper, audio.py).
        """
        kept = torch.tensor(samples[: self._samples], dtype=torch.float32)
        audio = torch.zeros(self._samples, device=self._device)
        audio[: kept.shape[0]] = kept.to(self._device)
        spectrum = torch.stft(audio, N_FFT, HOP, window=self._window, return_complex=True)
        power = spectrum[:, :-1].abs() ** 2
        log_mel = (self._filters @ power).clamp(min=1e-10).log10()
        return (torch.maximum(log_mel, log_mel.max() - 8.0) + 4.0) / 4.0


CEILING = 1.5
"""Of log-mel values without an utterance's own maximum: they are floored at 8 below it."""


class CausalLogMel:
    """The front end of a streaming encoder: every mel frame ends with its hop, and nothing after it is heard."""

    def __init__(self, n_mels: int, device: torch.device) -> None:
        self._device = device
        self._filters = torch.from_numpy(mel_filters(n_mels)).to(device)
        self._window = torch.hann_window(N_FFT, device=device)

    def __call__(self, samples: Samples) -> Tensor:
        """Features `(n_mels, n)` float32 of 16 kHz samples `(N_FFT - HOP + n · HOP,)`: all but the hops are past.

        As `LogMel`, but the floor is fixed, at 8 below `CEILING`.
        """
        # Without a wait for what the device still does for the block before.
        audio = torch.from_numpy(samples).to(self._device, non_blocking=True)
        spectrum = torch.fft.rfft(audio.unfold(0, N_FFT, HOP) * self._window)
        power = torch.view_as_real(spectrum).square().sum(dim=-1)
        log_mel = (self._filters @ power.T).clamp(min=1e-10).log10()
        return (log_mel.clamp(min=CEILING - 8.0) + 4.0) / 4.0
