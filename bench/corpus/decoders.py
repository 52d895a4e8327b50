"""Sound files to arrays: libsndfile through soundfile, or scipy for plain WAV where soundfile is not installed."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from firstpacket.bench.corpus.containers import wav
from firstpacket.bench.corpus.containers.errors import not_read, not_sound, truncated
from firstpacket.bench.corpus.containers.forms import read_layout
from firstpacket.bench.corpus.containers.layout import Form, Layout, Part, PartStream
from firstpacket.bench.errors import CorpusError, MissingDependency

INSTALL = "pip install soundfile soxr"

_INTEGER_SCALE = {"uint8": (128.0, 128.0), "int16": (0.0, 2.0**15), "int32": (0.0, 2.0**31)}


@dataclass(frozen=True, slots=True)
class Header:
    """A file's format, before anything is decoded."""

    path: Path
    sample_rate: int
    channels: int
    frames: int
    layout: Layout


def probe(path: Path) -> Header:
    """Header of a sound file. Raises `CorpusError` for what is not sound or ends early, `MissingDependency`."""
    with path.open("rb") as file:
        form, layout = read_layout(path, file, path.stat().st_size)
        soundfile = _soundfile()
        if soundfile is None and form != "WAV":
            raise MissingDependency(f"{path}: only plain WAV can be read without soundfile. Install: {INSTALL}")
        formats = [_format(soundfile, path, file, form, part) for part in layout.parts]
    rates, channels, frames = zip(*formats, strict=True)
    if len({*zip(rates, channels, strict=True)}) > 1:
        raise CorpusError(
            f"{path}: consists of {len(formats)} recordings with different sample rates or channels. Split it."
        )
    return Header(path, rates[0], channels[0], sum(frames), layout)


def read(header: Header, frames: int) -> npt.NDArray[np.float32]:
    """At most the first `frames` frames, float32 `(n, channels)`, full scale 1. Raises `CorpusError`."""
    soundfile = _soundfile()
    blocks: list[npt.NDArray[np.float32]] = []
    with header.path.open("rb") as file:
        for part in header.layout.parts:
            if (wanted := frames - sum(map(len, blocks))) > 0:
                blocks.append(_decode(soundfile, header.path, PartStream(file, part), wanted))
    return np.concatenate(blocks)


def _format(soundfile: Any, path: Path, file: BinaryIO, form: Form, part: Part) -> tuple[int, int, int]:
    """Sample rate, channels and frames of one part."""
    if soundfile is None:
        return wav.plain_format(part)
    try:
        info = soundfile.info(PartStream(file, part))
    except RuntimeError as error:
        if form == "WAV" and (coding := wav.unread_coding(part)):
            raise not_read(path, coding) from error
        raise not_sound(path, _plain(error)) from error
    return info.samplerate, info.channels, info.frames


def _decode(soundfile: Any, path: Path, stream: PartStream, frames: int) -> npt.NDArray[np.float32]:
    if soundfile is None:
        return _read_scipy(path, stream)[:frames]
    try:
        block: npt.NDArray[np.float32] = soundfile.read(stream, frames=frames, dtype="float32", always_2d=True)[0]
    except RuntimeError as error:
        raise truncated(path, f"decoding stops with: {_plain(error)}") from error
    return block


def _read_scipy(path: Path, stream: PartStream) -> npt.NDArray[np.float32]:
    from scipy.io import wavfile

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # chunks it skips; length is checked by `probe`
            _, block = wavfile.read(stream)
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
