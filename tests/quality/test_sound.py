"""Faults found in samples: clipping and a DC offset."""

from __future__ import annotations

import numpy as np
import pytest

from firstpacket.bench.quality.sound import sound


def sine(gain: float, offset: float = 0.0) -> np.ndarray:
    wave = gain * np.sin(2 * np.pi * 200 / 16_000 * np.arange(16_000)) + offset
    return np.clip(wave, -1, 1).astype(np.float32)


def test_a_clipped_wave_is_detected_and_a_full_scale_one_is_not() -> None:
    assert sound(sine(0.9), 16_000).clipped_share == 0
    # Beyond full scale for arccos(1/2) of each quarter: two thirds of the time.
    assert sound(sine(2.0), 16_000).clipped_share == pytest.approx(2 / 3, abs=0.03)


def test_single_peaks_at_full_scale_are_not_clipping() -> None:
    samples = sine(0.5)
    samples[[100, 101, 500, 900]] = 1.0
    assert sound(samples, 16_000).clipped_share == 0
    samples[[102]] = 1.0
    assert sound(samples, 16_000).clipped_share == pytest.approx(3 / 16_000)


def test_an_offset_is_found() -> None:
    assert sound(sine(0.5, 0.125), 16_000).offset == pytest.approx(0.125, abs=1e-6)
    assert sound(sine(0.5), 16_000).offset == 0


def test_empty_audio_is_refused() -> None:
    with pytest.raises(ValueError, match="no samples"):
        sound(np.zeros(0, np.float32), 16_000)
