"""How far one sound is from another to the ear: spectra at several resolutions."""

from __future__ import annotations

import torch
from torch import Tensor

from firstpacket.bench.pipeline import SAMPLE_RATE


class Spectra:
    """Distance of magnitudes and of mel bands, phases aside (Yamamoto et al. 2020, Parallel WaveGAN, equations 3 to 6).

    Mel bands as in HiFi-GAN (Kong et al. 2020), but at every resolution.
    """

    def __init__(self, sizes: tuple[int, ...] = (256, 512, 1024), mels: int = 80, floor: float = 1e-3) -> None:
        self._windows = [torch.hann_window(size) for size in sizes]
        self._bands = [_mel_bands(size, min(mels, size // 8)) for size in sizes]
        self._floor = floor

    def __call__(self, made: Tensor, wanted: Tensor) -> Tensor:
        """Mean distance of sounds `(n, samples)`."""
        total = made.new_zeros(())
        for window, bands in zip(self._windows, self._bands, strict=True):
            window, bands = window.to(made.device), bands.to(made.device)
            ours, theirs = self._magnitudes(made, window), self._magnitudes(wanted, window)
            total = total + torch.linalg.vector_norm(ours - theirs) / torch.linalg.vector_norm(theirs).clamp(min=1e-3)
            total = total + (_log(ours, self._floor) - _log(theirs, self._floor)).abs().mean()
            total = total + 2 * (_log(bands @ ours, self._floor) - _log(bands @ theirs, self._floor)).abs().mean()
        return total / len(self._windows)

    @staticmethod
    def _magnitudes(sound: Tensor, window: Tensor) -> Tensor:
        size = len(window)
        spectrum = torch.stft(sound, size, size // 4, window=window, return_complex=True)
        return torch.sqrt(spectrum.real**2 + spectrum.imag**2 + 1e-8)


def _log(magnitudes: Tensor, floor: float) -> Tensor:
    return torch.log(magnitudes + floor)


def _mel_bands(size: int, mels: int) -> Tensor:
    """Triangular bands `(mels, size // 2 + 1)` of even width in mel (O'Shaughnessy 1987), each summing to one."""
    highest = 2595 * torch.log10(torch.tensor(1 + SAMPLE_RATE / 2 / 700))
    corners = 700 * (10 ** (torch.linspace(0, float(highest), mels + 2) / 2595) - 1)
    bins = torch.linspace(0, SAMPLE_RATE / 2, size // 2 + 1)
    rising = (bins - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    falling = (corners[2:, None] - bins) / (corners[2:] - corners[1:-1])[:, None]
    bands = torch.minimum(rising, falling).clamp(min=0)
    return bands / bands.sum(1, keepdim=True).clamp(min=1e-6)
