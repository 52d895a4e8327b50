"""Decoding one recording: every usual form is read, every broken one refused with a reason."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firstpacket.bench.corpus import decoders
from firstpacket.bench.corpus.audio import LIMIT_S, read_clip
from firstpacket.bench.errors import CorpusError, MissingDependency
from firstpacket.bench.pipeline import SAMPLE_RATE

soundfile = pytest.importorskip("soundfile")


def tone(seconds: float = 1.0, rate: int = SAMPLE_RATE, channels: int = 1, gain: float = 0.5) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    mono = (gain * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    return np.repeat(mono[:, None], channels, axis=1)


def write(path: Path, samples: np.ndarray, rate: int = SAMPLE_RATE, **how: str) -> Path:
    soundfile.write(str(path), samples, rate, **how)
    return path


def level(samples: np.ndarray) -> float:
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    return float(np.sqrt(np.mean(middle.astype(np.float64) ** 2)))


@pytest.mark.parametrize(
    ("name", "rate", "how"),
    [
        ("a.wav", 8_000, {"subtype": "PCM_U8"}),
        ("a.wav", 16_000, {"subtype": "PCM_16"}),
        ("a.wav", 22_050, {"subtype": "FLOAT"}),
        ("a.wav", 44_100, {"subtype": "PCM_24"}),
        ("a.wav", 96_000, {"subtype": "PCM_32"}),
        ("a.wav", 48_000, {"subtype": "DOUBLE"}),
        ("a.wav", 8_000, {"subtype": "ULAW"}),
        ("a.flac", 44_100, {"subtype": "PCM_24"}),
        ("a.mp3", 44_100, {}),
        ("a.opus", 48_000, {"format": "OGG", "subtype": "OPUS"}),
        ("a.ogg", 22_050, {"format": "OGG", "subtype": "VORBIS"}),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_any_form_becomes_16_khz_mono(tmp_path: Path, name: str, rate: int, how: dict[str, str], channels: int) -> None:
    path = write(tmp_path / name, tone(1.0, rate, channels), rate, **how)
    clip = read_clip(path)
    assert clip.samples.dtype == np.float32 and clip.samples.ndim == 1
    assert len(clip.samples) == pytest.approx(SAMPLE_RATE, abs=400)  # MP3 of some encoders pads
    assert level(clip.samples) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)
    assert clip.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert clip.marks == ()


def test_more_than_two_channels_are_averaged(tmp_path: Path) -> None:
    samples = tone(channels=4) * np.array([1, 0.5, 0.5, 0.25], np.float32)
    clip = read_clip(write(tmp_path / "a.wav", samples))
    assert level(clip.samples) == pytest.approx(0.5 * 2.25 / 4 / np.sqrt(2), rel=0.01) and clip.marks == ("mixed",)


def test_16_khz_wav_is_read_exactly(tmp_path: Path) -> None:
    samples = tone()[:, 0]
    assert np.array_equal(read_clip(write(tmp_path / "a.wav", samples, subtype="FLOAT")).samples, samples)


@pytest.mark.parametrize("content", [b"hello\n" * 100, b"RIFF\x24\0\0\0WAVEfmt ", b"fLaC", b"ID3"])
@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.opus", "a.raw"])
def test_files_that_are_not_audio_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=rf"{name}: not a sound file that can be read \("):
        read_clip(path)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.opus", "a.ogg"])
@pytest.mark.parametrize("share", [0.5, 0.97])
def test_a_file_cut_off_is_refused(tmp_path: Path, name: str, share: float) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 4 * SAMPLE_RATE).astype(np.float32)
    how = {"a.opus": {"format": "OGG", "subtype": "OPUS"}, "a.ogg": {"format": "OGG", "subtype": "VORBIS"}}
    path = write(tmp_path / name, noise, **how.get(name, {}))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(CorpusError, match=r"truncated or damaged .*Download or export it again"):
        read_clip(path)


def with_flac_frames(path: Path, frames: int) -> Path:
    """Make a FLAC file say that it holds so many frames (36 bits in its first block)."""
    data = bytearray(path.read_bytes())
    data[21] = data[21] & 0xF0 | frames >> 32
    data[22:26] = (frames & 0xFFFF_FFFF).to_bytes(4, "big")
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["a.wav", "a.opus"])
def test_no_samples_is_refused(tmp_path: Path, name: str) -> None:
    how = {"format": "OGG", "subtype": "OPUS"} if name == "a.opus" else {}
    with pytest.raises(CorpusError, match=r"contains no samples|last Ogg page is missing"):
        read_clip(write(tmp_path / name, np.zeros(0, np.float32), **how))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_a_number_is_refused(tmp_path: Path, bad: float) -> None:
    samples = tone()
    samples[777] = bad
    with pytest.raises(CorpusError, match="NaN or infinite samples, first at frame 777"):
        read_clip(write(tmp_path / "a.wav", samples, subtype="FLOAT"))


def test_float_samples_at_integer_scale_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"samples reach 1\.6\d*e\+04, where full scale is 1"):
        read_clip(write(tmp_path / "a.wav", tone(gain=16_384), subtype="FLOAT"))


def test_samples_stay_within_full_scale(tmp_path: Path) -> None:
    clip = read_clip(write(tmp_path / "a.wav", tone(rate=22_050, gain=1.5), 22_050, subtype="FLOAT"))
    assert np.abs(clip.samples).max() == 1.0 and clip.marks == ("clipped",)


def test_silence_and_clipping_are_marked(tmp_path: Path) -> None:
    assert read_clip(write(tmp_path / "a.wav", np.zeros(1600))).marks == ("silent",)
    assert read_clip(write(tmp_path / "b.wav", np.clip(tone(gain=3), -1, 1))).marks == ("clipped",)


def test_a_two_hour_file_is_refused_from_its_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = with_flac_frames(write(tmp_path / "a.flac", tone()), 7200 * SAMPLE_RATE)
    monkeypatch.setattr(decoders, "read", lambda *_: pytest.fail("must not be decoded"))
    with pytest.raises(CorpusError, match=r"7200\.0 s long; the limit is 60 s\. .*--trim-to SECONDS"):
        read_clip(path)


def test_the_limit_itself_is_allowed(tmp_path: Path) -> None:
    assert len(read_clip(write(tmp_path / "a.wav", np.zeros(int(LIMIT_S) * SAMPLE_RATE))).samples) == 60 * SAMPLE_RATE


def test_trimming_takes_the_beginning(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(61, 8_000), 8_000)
    clip = read_clip(path, trim_to_s=2.5)
    assert len(clip.samples) == 2.5 * SAMPLE_RATE and clip.marks == ("trimmed",) and clip.file_ms == 61_000
    assert read_clip(path, trim_to_s=70).marks == ()


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    for name, why in {
        "none.wav": "no such file",
        "": "is a folder",
        "pipe.wav": "is a pipe, socket or device",
        "sub\\a.wav": "use relative paths with '/'",
        "C:/Users/a.wav": "use relative paths with '/'",
    }.items():
        with pytest.raises(CorpusError, match=why):
            read_clip(tmp_path / name)


def test_implausible_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="1 channels at 1000 Hz is not a plausible recording"):
        read_clip(write(tmp_path / "a.wav", tone(), 1000))
    with pytest.raises(CorpusError, match="40 channels at 16000 Hz"):
        read_clip(write(tmp_path / "b.wav", tone(channels=40)))
    with pytest.raises(CorpusError, match=r"is AIFF, which is not read"):
        read_clip(write(tmp_path / "a.aiff", tone()))


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment with neither soundfile nor soxr."""
    monkeypatch.setitem(sys.modules, "soundfile", None)
    monkeypatch.setitem(sys.modules, "soxr", None)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_plain_wav_needs_no_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, subtype: str
) -> None:
    path = write(tmp_path / "a.wav", tone(channels=2), subtype=subtype)
    expected = read_clip(path)
    request.getfixturevalue("bare")
    assert np.allclose(read_clip(path).samples, expected.samples, atol=1e-7)
    assert len(read_clip(path, trim_to_s=0.5).samples) == SAMPLE_RATE // 2


def test_without_libraries_the_rest_says_what_to_install(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    flac = write(tmp_path / "a.flac", tone())
    fast = write(tmp_path / "a.wav", tone(rate=8000), 8000)
    coded = write(tmp_path / "b.wav", tone(), subtype="ULAW")
    cut = write(tmp_path / "c.wav", tone())
    cut.write_bytes(cut.read_bytes()[:-1000])
    request.getfixturevalue("bare")
    with pytest.raises(MissingDependency, match=r"a\.flac: only plain WAV .*pip install soundfile soxr"):
        read_clip(flac)
    with pytest.raises(MissingDependency, match=r"Resampling from 8000 Hz needs soxr.*pip install soundfile soxr"):
        read_clip(fast)
    with pytest.raises(CorpusError, match=r"scipy cannot read this WAV file.*pip install soundfile soxr"):
        read_clip(coded)
    with pytest.raises(CorpusError, match="truncated or damaged"):
        read_clip(cut)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["a.wav", "a.flac", "a.mp3", "a.ogg"]),
    at=st.integers(0, 3000),
    junk=st.binary(min_size=1, max_size=40),
)
def test_damaged_files_are_read_or_give_a_clear_error(tmp_path: Path, name: str, at: int, junk: bytes) -> None:
    path = write(tmp_path / name, tone(0.3))
    data = bytearray(path.read_bytes())
    data[at : at + len(junk)] = junk
    path.write_bytes(data)
    try:
        clip = read_clip(path)
    except (CorpusError, MissingDependency):
        return
    assert np.isfinite(clip.samples).all() and len(clip.samples)
