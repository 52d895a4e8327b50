"""The detector of speech's end, against signals whose end is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstpacket.bench.corpus.speech_end import estimate_speech_end_ms
from firstpacket.bench.pipeline import SAMPLE_RATE, Samples


def speech(start_ms: int, end_ms: int, clip_ms: int, *, peak: float = 0.3, noise_dbfs: float = -90.0) -> Samples:
    """Something like speech: a buzz in syllables of 200 ms with gaps, the last one ending at `end_ms`."""
    time = np.arange(clip_ms * SAMPLE_RATE // 1000) / SAMPLE_RATE
    buzz = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 12))
    syllables = ((end_ms / 1000 - time) % 0.25) < 0.2
    inside = (time >= start_ms / 1000) & (time < end_ms / 1000)
    noise = 10 ** (noise_dbfs / 20) * np.random.default_rng(0).standard_normal(len(time))
    return (peak * buzz / np.abs(buzz).max() * syllables * inside + noise).astype(np.float32)


@pytest.mark.parametrize("noise_dbfs", [-120.0, -70.0, -55.0, -45.0, -35.0])
@pytest.mark.parametrize("end_ms", [700, 1003, 1907, 2000])
def test_the_end_is_found_within_25_ms(end_ms: int, noise_dbfs: float) -> None:
    found = estimate_speech_end_ms(speech(200, end_ms, 2500, noise_dbfs=noise_dbfs))
    assert found == pytest.approx(end_ms, abs=25)


@pytest.mark.parametrize("peak", [0.01, 0.1, 1.0])
def test_the_end_of_speech_does_not_depend_on_loudness(peak: float) -> None:
    assert estimate_speech_end_ms(speech(200, 1507, 2500, peak=peak)) == pytest.approx(1507, abs=20)


def test_speech_to_the_very_end_of_the_clip() -> None:
    assert estimate_speech_end_ms(speech(0, 1234, 1234)) == 1234


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(16_000), np.full(16_000, 1e-4)])
def test_nothing_is_found_in_silence(samples: Samples) -> None:
    assert estimate_speech_end_ms(samples.astype(np.float32)) is None


@settings(max_examples=50)
@given(st.integers(1, 5000), st.floats(0, 1), st.integers(0, 2**31))
def test_the_end_is_within_the_clip(length: int, gain: float, seed: int) -> None:
    samples = (gain * np.random.default_rng(seed).uniform(-1, 1, length)).astype(np.float32)
    found = estimate_speech_end_ms(samples)
    assert found is None or 0 < found <= length * 1000 / SAMPLE_RATE
