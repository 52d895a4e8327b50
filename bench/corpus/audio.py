"""One recording: a file of any usual rate, width and number of channels to 16 kHz mono float32, checked on the way."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from firstpacket.bench.corpus import decoders
from firstpacket.bench.corpus.channels import Channel, ChannelMark, to_mono
from firstpacket.bench.corpus.containers.errors import no_file, truncated
from firstpacket.bench.errors import CorpusError, MissingDependency
from firstpacket.bench.pipeline import SAMPLE_RATE, Samples

LIMIT_S = 60.0
"""Longest clip accepted without trimming."""

Mark = Literal["silent", "quiet", "clipped", "trimmed", "unstated-length"] | ChannelMark

_RATES = range(4_000, 384_001)
_MOST_CHANNELS = 32
SILENT_BELOW = 10 ** (-75 / 20)
_QUIET_BELOW = 10 ** (-50 / 20)
"""A recording that never reaches this is silent."""
_FULL_SCALE = 0.999
_CLIPPED_SHARE = 0.001
_NOT_NORMALISED_ABOVE = 4.0


@dataclass(frozen=True, slots=True)
class Clip:
    """One decoded recording: samples float32 `(n,)` at 16 kHz in [-1, 1], and what is notable about it."""

    samples: Samples
    sha256: str
    file_ms: float
    """Length of the file, before trimming."""
    marks: tuple[Mark, ...]


def read_clip(path: Path, *, trim_to_s: float | None = None, channel: Channel = "mix") -> Clip:
    """Decode, check and resample one sound file; with `trim_to_s`, only that many seconds from its start.

    `channel` says what becomes of several channels (`firstpacket.bench.corpus.channels`).

    Raises `CorpusError` if the file is missing, not sound, cut off, empty, holds NaN or infinite samples, or is longer
    than `LIMIT_S` without trimming (by its header, before decoding); `MissingDependency` if a library is needed.
    """
    try:
        if not path.is_file():
            raise no_file(path)
        return _read_clip(path, trim_to_s, channel)
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror}). Check its permissions.") from error


def to_corpus_rate(samples: Samples, rate: int) -> Samples:
    """Resample mono float32 `(n,)` from `rate` Hz to 16 kHz. Raises `MissingDependency`."""
    if rate == SAMPLE_RATE:
        return samples
    try:
        import soxr
    except ImportError as error:
        raise MissingDependency(
            f"Resampling from {rate} Hz needs soxr. Install: {decoders.INSTALL}, or use clips at {SAMPLE_RATE} Hz."
        ) from error
    resampled: Samples = soxr.resample(samples, rate, SAMPLE_RATE).astype(np.float32)
    return resampled


def _read_clip(path: Path, trim_to_s: float | None, channel: Channel) -> Clip:
    header = decoders.probe(path)
    check_header(path, header)
    most = max(1, round((trim_to_s or LIMIT_S) * header.sample_rate))
    if not trim_to_s and header.frames > most:
        raise _too_long(path, header.frames / header.sample_rate)
    wanted = min(header.frames, most)
    block = decoders.read(header, wanted)
    if len(block) < wanted:
        raise truncated(path, f"{len(block)} of {header.frames} frames could be decoded")
    check_samples(path, block)
    mono, channel_marks = to_mono(block, header.sample_rate, channel)
    samples = np.clip(to_corpus_rate(mono, header.sample_rate), -1.0, 1.0)
    if not len(samples):
        raise _empty(path)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    marks = _marks(mono, trimmed=wanted < header.frames, to_the_end=header.layout.to_the_end)
    return Clip(samples, sha256, header.frames * 1000 / header.sample_rate, (*marks, *channel_marks))


def check_header(path: Path, header: decoders.Header) -> None:
    """Raise `CorpusError` for a recording without samples, or of an implausible rate or number of channels."""
    if header.frames < 1:
        raise _empty(path)
    if header.sample_rate not in _RATES or not 1 <= header.channels <= _MOST_CHANNELS:
        raise CorpusError(
            f"{path}: {header.channels} channels at {header.sample_rate} Hz is not a plausible recording. Use 1 to"
            f" {_MOST_CHANNELS} channels and {_RATES.start} to {_RATES.stop - 1} Hz."
        )


def check_samples(path: Path, samples: npt.NDArray[np.float32]) -> None:
    """Raise `CorpusError` for samples `(n,)` or `(n, channels)` that are not finite, or far above full scale."""
    if not np.isfinite(samples).all():
        bad = int(np.argwhere(~np.isfinite(samples))[0][0])
        raise CorpusError(
            f"{path}: contains NaN or infinite samples, first at frame {bad}. Export it again, or remove it."
        )
    if (peak := float(np.abs(samples).max())) > _NOT_NORMALISED_ABOVE:
        raise CorpusError(
            f"{path}: samples reach {peak:.4g}, where full scale is 1. Divide them by the full scale of their integers."
        )


def _marks(mono: npt.NDArray[np.float32], *, trimmed: bool, to_the_end: bool) -> tuple[Mark, ...]:
    level = np.abs(mono)
    loudest = float(np.abs(mono - mono.mean()).max())  # a constant offset is no sound
    found: dict[Mark, bool] = {
        "silent": loudest < SILENT_BELOW,
        "quiet": SILENT_BELOW <= loudest < _QUIET_BELOW,
        "clipped": float(np.mean(level >= _FULL_SCALE)) > _CLIPPED_SHARE,
        "trimmed": trimmed,
        "unstated-length": to_the_end,
    }
    return tuple(mark for mark, holds in found.items() if holds)


def _empty(path: Path) -> CorpusError:
    return CorpusError(f"{path}: contains no samples. Record or export it again, or remove it.")


def _too_long(path: Path, seconds: float) -> CorpusError:
    return CorpusError(
        f"{path}: {seconds:.1f} s long; the limit is {LIMIT_S:g} s. Cut it into utterances, or keep only the"
        " beginning of each with --trim-to SECONDS."
    )
