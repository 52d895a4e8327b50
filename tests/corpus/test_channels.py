"""Several channels to one: what a mix keeps, what it would destroy, and what is said about it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from firstpacket.bench.corpus.channels import ChannelMark, to_mono
from firstpacket.bench.corpus.estimates import EndEstimates, read_estimates, write_estimates
from firstpacket.bench.corpus.load import load_corpus

RATE = 16_000
RANDOM = np.random.default_rng(1)


def talk(*stretches: tuple[float, float], seconds: float = 3.0) -> np.ndarray:
    """A voice-like buzz of 130 Hz during these seconds."""
    time = np.arange(round(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * 130 * k * time) / k for k in range(1, 20))
    spoken = np.zeros(len(time))
    for start, end in stretches:
        spoken[(time >= start) & (time < end) & (time % 0.25 < 0.2)] = 0.15
    return (buzz * spoken).astype(np.float32)


def hiss(dbfs: float, n: int = 3 * RATE) -> np.ndarray:
    return (10 ** (dbfs / 20) * RANDOM.standard_normal(n)).astype(np.float32)


USER, ASSISTANT = talk((0.2, 1.0)), talk((1.3, 2.6))


def mixed(*channels: np.ndarray) -> tuple[np.ndarray, tuple[ChannelMark, ...]]:
    return to_mono(np.stack(channels, axis=1).astype(np.float32), RATE)


def test_one_channel_is_used_as_it_is() -> None:
    samples, marks = mixed(USER)
    assert np.array_equal(samples, USER) and marks == ()


@pytest.mark.parametrize("channels", [2, 6])
@pytest.mark.parametrize("difference", [0.0, 10 ** (-70 / 20)])
def test_copies_of_one_channel_need_no_mention(channels: int, difference: float) -> None:
    samples, marks = mixed(*(USER + difference * RANDOM.standard_normal(len(USER)) for _ in range(channels)))
    assert np.allclose(samples, USER, atol=2e-3) and marks == ()


@pytest.mark.parametrize("offset", [0.0, 0.2])
@pytest.mark.parametrize("noise_dbfs", [-90.0, -50.0])
@pytest.mark.parametrize("gain", [1.0, 0.6])
def test_opposite_phase_leaves_the_loudest(gain: float, noise_dbfs: float, offset: float) -> None:
    """Also with an offset or hum that both channels share."""
    hum = offset + 0.1 * np.sin(2 * np.pi * 50 * np.arange(len(USER)) / RATE)
    for channels in ([USER, -gain * USER], [-gain * USER, USER], [USER, -USER, USER, -USER]):
        samples, marks = mixed(*(each + hum + hiss(noise_dbfs) for each in channels))
        assert marks == ("opposite-phase",)
        assert abs(np.corrcoef(samples - hum, USER)[0, 1]) > 0.95


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("other", [np.zeros(3 * RATE), hiss(-80.0), np.full(3 * RATE, 0.1)])
def test_a_silent_channel_does_not_halve_the_level(place: int, other: np.ndarray) -> None:
    channels = [other, other]
    channels[place] = USER
    samples, marks = mixed(*channels)
    assert np.array_equal(samples, USER) and marks == ("one-channel",)


def test_two_silent_channels_are_silent() -> None:
    samples, marks = mixed(np.zeros(RATE), np.zeros(RATE))
    assert not samples.any() and marks == ()


@pytest.mark.parametrize("crosstalk", [0.0, 0.1])
@pytest.mark.parametrize("noise_dbfs", [-90.0, -60.0])
def test_one_speaker_in_each_channel_is_told_from_stereo(crosstalk: float, noise_dbfs: float) -> None:
    left, right = USER + crosstalk * ASSISTANT + hiss(noise_dbfs), ASSISTANT + crosstalk * USER + hiss(noise_dbfs)
    samples, marks = mixed(left, right)
    assert marks == ("one-speaker-per-channel",) and np.allclose(samples, (left + right) / 2, atol=1e-6)


@pytest.mark.parametrize("second", [0.5 * np.roll(USER, 12), USER + hiss(-40.0), 0.7 * USER + 0.1 * ASSISTANT])
def test_other_differences_are_mixed_and_said(second: np.ndarray) -> None:
    samples, marks = mixed(USER, second)
    assert marks == ("mixed",) and np.allclose(samples, (USER + second) / 2, atol=1e-6)


def test_a_channel_is_chosen() -> None:
    block = np.stack([USER, ASSISTANT, ASSISTANT], axis=1)
    assert np.array_equal(to_mono(block, RATE, "left")[0], USER) and to_mono(block, RATE, "left")[1] == ()
    assert np.array_equal(to_mono(block, RATE, "right")[0], ASSISTANT)
    assert np.array_equal(to_mono(block[:, :1], RATE, "right")[0], USER)


def call(folder: Path) -> Path:
    """A call as recorders write it: the user on the left, the assistant on the right."""
    block = np.stack([USER, ASSISTANT], axis=1) * 2**15
    wavfile.write(folder / "call.wav", RATE, block.astype(np.int16))
    return folder


def test_a_call_ends_with_whoever_is_chosen(tmp_path: Path) -> None:
    source = str(call(tmp_path))
    ends = {}
    for channel in ("mix", "left", "right"):
        loaded = load_corpus(source, channel=channel)
        (one,) = loaded.utterances
        ends[channel] = one.speech_end_ms
        said = any("1 of 1 recordings have different speakers in their channels" in each for each in loaded.notices)
        assert said == (channel == "mix") == (one.marks == ("one-speaker-per-channel",))
    assert ends["left"] == pytest.approx(950, abs=30) and ends["right"] == ends["mix"] == pytest.approx(2600, abs=60)


def test_estimates_are_stored_for_each_channel(tmp_path: Path) -> None:
    (one,) = load_corpus(str(call(tmp_path))).utterances
    write_estimates(tmp_path, [EndEstimates("call", one.sha256, {"level": 2500.0})])
    write_estimates(tmp_path, [EndEstimates("call", one.sha256, {"level": 900.0}, "left")])
    assert read_estimates(tmp_path)[one.sha256].ends_ms == {"level": 2500.0}
    assert [load_corpus(str(tmp_path), channel=each).utterances[0].speech_end_ms for each in ("mix", "left")] == [
        2500,
        900,
    ]
    assert load_corpus(str(tmp_path), channel="right").utterances[0].speech_end_estimates_ms == {}
