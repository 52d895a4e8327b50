"""The log-mel front end, against an independent filterbank and against what a spectrogram must show."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from firstpacket.pipelines.direct.llama_omni.features import LogMel, mel_filters

CPU = torch.device("cpu")


@pytest.mark.parametrize("n_mels", [80, 128])
def test_filters_are_slaneys(n_mels: int) -> None:
    audio_utils = pytest.importorskip("transformers.audio_utils")
    theirs = audio_utils.mel_filter_bank(201, n_mels, 0.0, 8000.0, 16_000, norm="slaney", mel_scale="slaney")
    np.testing.assert_allclose(mel_filters(n_mels), theirs.T, rtol=1e-5, atol=1e-8)


def test_a_tone_appears_at_its_frequency_and_time() -> None:
    time = np.arange(16_000) / 16_000
    samples = np.zeros(48_000, np.float32)
    samples[16_000:32_000] = 0.5 * np.sin(2 * np.pi * 1000 * time)
    mel = LogMel(80, 3000, CPU)(samples)
    assert mel.shape == (80, 3000)
    peak = mel_filters(80)[:, 25].argmax()  # bin 25 of 40 Hz each
    assert int(mel[:, 150].argmax()) == peak
    loud = (mel[peak] > mel.max() - 0.5).nonzero()[:, 0]
    assert (int(loud[0]), int(loud[-1])) == pytest.approx((100, 199), abs=2)


def test_audio_is_padded_or_cut_to_the_window() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 40_000).astype(np.float32)
    extract = LogMel(80, 200, CPU)
    whole = extract(noise[:32_000])
    assert torch.equal(extract(noise), whole)
    padded = np.concatenate((noise[:8000], np.zeros(24_000, np.float32)))
    assert torch.equal(extract(noise[:8000]), extract(padded))


def test_silence_is_flat() -> None:
    mel = LogMel(80, 200, CPU)(np.zeros(0, np.float32))
    assert mel.unique().tolist() == [-1.5]  # (log10(1e-10) + 4) / 4


def test_the_silence_after_speech_is_what_computing_it_gives() -> None:
    """Its features are filled in. In the last window, speech is followed by no silence that could be."""
    noise = np.random.default_rng(0).normal(0, 0.1, 48_000).astype(np.float32)
    for samples in (0, 1, 8000, 8079, 31_599, 31_600, 32_000):
        audio = torch.zeros(32_000)
        audio[:samples] = torch.from_numpy(noise[:samples])
        spectrum = torch.stft(audio, 400, 160, window=torch.hann_window(400), return_complex=True)[:, :-1]
        mel = (torch.from_numpy(mel_filters(80)) @ spectrum.abs().square()).clamp(min=1e-10).log10()
        expected = (mel.clamp(min=mel.max() - 8) + 4) / 4
        torch.testing.assert_close(LogMel(80, 200, CPU)(noise[:samples]), expected, rtol=0, atol=1e-5)
