"""The power of a clip in time and frequency: what the estimate of the end of speech looks at."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from firstpacket.bench.pipeline import SAMPLE_RATE, Samples

Power = npt.NDArray[np.float64]
"""Power (full scale 1) of each frame in each band: `(frames, bands)`."""

HOP_MS, FRAME_MS = 5, 32

_EDGES_HZ = (210, 300, 400, 500, 620, 750, 900, 1100, 1350, 1650, 2000, 2500, 3100, 3900, 4900, 6200, 8000)
"""Offsets, their drift and mains hum lie below the first band."""
_WEIGHTS = (0.35875, -0.48829, 0.14128, -0.01168)
"""Blackman-Harris (Harris 1978): its side lobes, 92 dB down, keep hum and offsets of any level out of all bands."""
_ROUNDING = 10 ** (-100 / 10)
"""Power of the rounding to 16 bits, which digital silence lacks: with it, no band is ever empty."""

_HOP, _FRAME = HOP_MS * SAMPLE_RATE // 1000, FRAME_MS * SAMPLE_RATE // 1000
_EDGES = np.round(np.array(_EDGES_HZ) * _FRAME / SAMPLE_RATE).astype(int)
_WIDTHS = np.diff(_EDGES)
_WINDOW = sum(weight * np.cos(2 * np.pi * k * np.arange(_FRAME) / _FRAME) for k, weight in enumerate(_WEIGHTS))

FREEDOM = _WIDTHS * 0.5
"""Independent values in each band of one frame, half of chi-square's degrees of freedom, by noise of any colour."""


def band_power(samples: Samples) -> Power:
    """Power of each frame of 32 ms, 5 ms apart; a clip that is shorter counts as one frame."""
    padded = np.zeros(max(len(samples), _FRAME))
    padded[: len(samples)] = samples
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::_HOP]
    spectrum = np.abs(np.fft.rfft(frames * _WINDOW)) ** 2 * 2 / (_FRAME * np.sum(_WINDOW**2))
    bands: Power = np.add.reduceat(spectrum[:, : _EDGES[-1]], _EDGES[:-1], axis=1)
    return bands + _ROUNDING * _WIDTHS * 2 / _FRAME


def averaged(power: Power, frames: int) -> Power:
    """Means of `frames` successive frames: `(n - frames + 1, bands)`."""
    sums = np.cumsum(np.concatenate((np.zeros((1, power.shape[1])), power)), axis=0)
    means: Power = (sums[frames:] - sums[:-frames]) / frames
    return means


def decibels(power: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """dB relative to full scale, at least -200."""
    found: npt.NDArray[np.float64] = 10 * np.log10(np.maximum(power, 1e-20))
    return found
