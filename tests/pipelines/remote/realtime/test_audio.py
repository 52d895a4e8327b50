"""Audio for the line: positions, G.711, and what resampling costs."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstpacket.pipelines.remote.realtime.audio import A_LAW, MU_LAW, Encoder, Resampler, decode, encode

SPEECH = (0.5 * np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000)).astype(np.float32)


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 48_000])
def test_samples_keep_their_position(rate: int) -> None:
    resampler = Resampler(rate)
    out = np.concatenate([resampler.push(SPEECH[at : at + 320]) for at in range(0, len(SPEECH), 320)])
    expected = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(len(out)) / rate)
    inner = slice(rate // 50, -rate // 50)
    assert np.abs(out - expected)[inner].max() < 1e-3
    assert len(SPEECH) / 16_000 - len(out) / rate == pytest.approx(resampler.half / 16_000, abs=1e-4)


@given(st.lists(st.integers(0, 700), min_size=1, max_size=20), st.sampled_from([8_000, 24_000]))
def test_pieces_make_no_difference(sizes: list[int], rate: int) -> None:
    whole, pieces = Resampler(rate), Resampler(rate)
    total = sum(sizes)
    speech = np.resize(SPEECH, total)
    borders = np.cumsum([0, *sizes])
    parts = [pieces.push(speech[a:b]) for a, b in pairwise(borders)]
    np.testing.assert_allclose(np.concatenate(parts), whole.push(speech), atol=1e-6)


def test_what_is_above_the_lower_rate_is_removed() -> None:
    high = np.sin(2 * np.pi * 7000 * np.arange(16_000) / 16_000).astype(np.float32)
    assert np.abs(Resampler(8_000).push(high)[100:]).max() < 0.01


def test_the_delay_is_stated() -> None:
    assert Encoder("pcm", 24_000).delay_ns == 500_000
    assert Encoder("pcmu", 24_000).delay_ns == 1_000_000
    assert Encoder("pcm", 16_000).delay_ns == 0


@pytest.mark.parametrize(("format", "name"), [("pcmu", "ulaw"), ("pcma", "alaw")])
def test_g711_is_the_standards(format: str, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        audioop = pytest.importorskip("audioop", reason="no audioop in this Python")
    codes = bytes(range(256))
    expected = np.frombuffer(getattr(audioop, f"{name}2lin")(codes, 2), "<i2")
    np.testing.assert_array_equal(decode(codes, format) * 32768, expected)  # type: ignore[arg-type]
    silent = {"pcmu": b"\xff", "pcma": b"\xd5"}[format]
    assert encode(np.zeros(1, np.float32), format) in (silent, b"\x7f", b"\x55")  # type: ignore[arg-type]


@given(st.floats(-1, 1))
def test_g711_gives_the_nearest_value(sample: float) -> None:
    for format, table in (("pcmu", MU_LAW), ("pcma", A_LAW)):
        value = decode(encode(np.array([sample], np.float32), format), format)[0] * 32768  # type: ignore[arg-type]
        wanted = np.clip(np.rint(np.float32(sample) * 32767), -32768, 32767)
        assert abs(value - wanted) <= np.abs(table.astype(int) - wanted).min() + 1
