"""Sound files to arrays: libsndfile through soundfile, or scipy for plain WAV where soundfile is not installed."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from firstpacket.bench.corpus import mp3
from firstpacket.bench.corpus.containers import ogg_truncated, wav_header
from firstpacket.bench.errors import CorpusError, MissingDependency

INSTALL = "pip install soundfile soxr"

_FORMATS = ("WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3", "MPEG")
_UNKNOWN_FRAMES = 2**62
_MP3_SLACK = 2 * 1152
_INTEGER_SCALE = {"uint8": (128.0, 128.0), "int16": (0.0, 2.0**15), "int32": (0.0, 2.0**31)}


@dataclass(frozen=True, slots=True)
class Header:
    """A file's format, before anything is decoded."""

    sample_rate: int
    channels: int
    frames: int


def probe(path: Path) -> Header:
    """Header of a sound file. Raises `CorpusError` for what is not sound or ends early, `MissingDependency`."""
    if (wav := wav_header(path)) and wav.truncated:
        raise truncated(path, f"its header announces {wav.promised} bytes of sound, but only {wav.present} are present")
    soundfile = _soundfile()
    if soundfile is not None:
        return _probe_soundfile(soundfile, path)
    if wav is None:
        raise MissingDependency(f"{path}: only plain WAV can be read without soundfile. Install: {INSTALL}")
    return Header(wav.sample_rate, wav.channels, wav.frames)


def read(path: Path, frames: int) -> npt.NDArray[np.float32]:
    """At most the first `frames` frames, float32 `(n, channels)`, full scale 1. Raises `CorpusError`."""
    soundfile = _soundfile()
    if soundfile is None:
        return _read_scipy(path)[:frames]
    try:
        block: npt.NDArray[np.float32] = soundfile.read(str(path), frames=frames, dtype="float32", always_2d=True)[0]
    except RuntimeError as error:
        raise truncated(path, f"decoding stops with: {_plain(error)}") from error
    return block


def truncated(path: Path, evidence: str) -> CorpusError:
    """The error for a file that ends early or is damaged inside."""
    return CorpusError(
        f"{path}: the recording is truncated or damaged ({evidence}). Download or export it again, or remove it."
    )


def _probe_soundfile(soundfile: Any, path: Path) -> Header:
    try:
        info = soundfile.info(str(path))
    except (RuntimeError, TypeError) as error:  # soundfile raises TypeError for headerless formats such as .raw
        raise CorpusError(
            f"{path}: not a sound file that can be read ({_plain(error)}). Give WAV, FLAC, MP3, Opus or Ogg Vorbis."
        ) from error
    if info.format not in _FORMATS:
        raise CorpusError(
            f"{path}: {info.format_info} is not supported. Convert it to WAV, FLAC, MP3, Opus or Ogg Vorbis."
        )
    if info.format == "OGG" and ogg_truncated(path):
        raise truncated(path, "its last Ogg page is missing")
    if info.frames >= _UNKNOWN_FRAMES:
        raise CorpusError(
            f"{path}: has no length in its header, as if written into a pipe. Convert it again, to a file."
        )
    frames = _mp3_frames(path, info.frames) if info.format in ("MP3", "MPEG") else info.frames
    return Header(info.samplerate, info.channels, frames)


def _mp3_frames(path: Path, stated: int) -> int:
    counted = mp3.count_samples(path)
    if counted is None:
        return stated
    if abs(counted - stated) > _MP3_SLACK:
        raise CorpusError(
            f"{path}: has no length in its header, and its bit rate varies, so it would not be read to its end."
            " Convert it to FLAC or WAV."
        )
    return min(counted, stated)


def _read_scipy(path: Path) -> npt.NDArray[np.float32]:
    from scipy.io import wavfile

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # chunks it skips; length is checked by `probe`
            _, block = wavfile.read(path)
    except Exception as error:  # scipy raises whatever its parsing stumbles over
        raise CorpusError(f"{path}: scipy cannot read this WAV file ({error}). Install: {INSTALL}") from error
    block = block.reshape(len(block), -1)
    if block.dtype.kind == "f":
        return np.asarray(block, dtype=np.float32)
    if block.dtype.name not in _INTEGER_SCALE:
        raise MissingDependency(f"{path}: {block.dtype.name} samples need soundfile. Install: {INSTALL}")
    zero, scale = _INTEGER_SCALE[block.dtype.name]
    return np.asarray((block.astype(np.float64) - zero) / scale, dtype=np.float32)


def _soundfile() -> Any:
    """The module, or None where it or the library under it is not installed."""
    try:
        import soundfile
    except (ImportError, OSError):
        return None
    return soundfile


def _plain(error: BaseException) -> str:
    return str(error).rpartition(": ")[2].rstrip(".")
