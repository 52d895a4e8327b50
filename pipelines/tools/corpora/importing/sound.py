"""One recording of a data set → FLAC of 16 bits at its own rate: nothing is trimmed and nothing made louder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
import numpy.typing as npt

from firstpacket.bench.corpus import decoders
from firstpacket.bench.corpus.readers.row import NoSound, Row
from firstpacket.bench.errors import CorpusError, MissingDependency
from firstpacket.pipelines.tools.corpora.importing.source import require_inside, sha256

TOO_LONG = "longer than --longest"
SILENT = "silent"
UNREADABLE = "unreadable"

_SILENT_BELOW = 10 ** (-60 / 20)
_FULL_SCALE = 2**15
_FINER = ("PCM_24", "PCM_32", "FLOAT", "DOUBLE")
_MOST_CHANNELS = 8
"""Of a FLAC file."""


class LeftOut(Exception):
    """Raised for a recording that cannot be used: in two words, and in a sentence where there is more to say."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Stored:
    """A FLAC file."""

    sha256: str
    seconds: float
    rounded: bool
    """Whether the source has more than 16 bits."""


def store(row: Row, root: Path, out: Path, longest_s: float) -> Stored:
    """Decode a row's sound and write it to `out`. Raises `LeftOut`, and `CorpusError` for a link out of `root`."""
    with _file(row, root, out.parent) as path:
        samples, rate, rounded = _decoded(path, row, longest_s)
    _soundfile().write(str(out), samples, rate, format="FLAC", subtype="PCM_16")
    return Stored(sha256(out), len(samples) / rate, rounded)


def _soundfile() -> Any:
    try:
        import soundfile
    except (ImportError, OSError) as error:
        raise MissingDependency(f"Importing needs soundfile. Install it with: {decoders.INSTALL}") from error
    return soundfile


@contextmanager
def _file(row: Row, root: Path, folder: Path) -> Iterator[Path]:
    """The row's sound as a file: decoders check files, and hostile content must not be taken for what it is not."""
    if isinstance(row.sound, Path):
        require_inside(root, row.sound)
        if not row.sound.is_file():
            raise LeftOut("no sound", f"{row.sound} does not exist")
        yield row.sound
        return
    try:
        content = row.sound()
    except NoSound as error:
        raise LeftOut(str(error)) from error
    with NamedTemporaryFile(dir=folder, suffix=_suffix(content)) as file:
        file.write(content)
        file.flush()
        yield Path(file.name)


def _suffix(content: bytes) -> str:
    """libsndfile recognises MP3 by its name where it begins with a tag."""
    return ".mp3" if content[:3] == b"ID3" or content[:1] == b"\xff" else ""


def _decoded(path: Path, row: Row, longest_s: float) -> tuple[npt.NDArray[np.int16], int, bool]:
    try:
        header = decoders.probe(path)
        start = round(row.start_ms * header.sample_rate / 1000)
        frames = header.frames - start
        if row.length_ms is not None:
            frames = min(frames, round(row.length_ms * header.sample_rate / 1000))
        if header.frames < 1 or frames < 1:
            raise LeftOut("no sound", "it has no samples")
        if frames > longest_s * header.sample_rate:
            raise LeftOut(TOO_LONG, f"{frames / header.sample_rate:.1f} s")
        block = decoders.read(path, start + frames)[start:]
    except CorpusError as error:
        raise LeftOut(UNREADABLE, str(error).replace(str(path), "the sound")) from error
    if len(block) < frames or block.shape[1] > _MOST_CHANNELS or not np.isfinite(block).all():
        raise LeftOut(UNREADABLE, f"{len(block)} of {frames} frames, {block.shape[1]} channels, or no finite samples")
    if float(np.abs(block).max()) < _SILENT_BELOW:
        raise LeftOut(SILENT)
    samples = np.clip(np.rint(block * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)
    return samples, header.sample_rate, _soundfile().info(str(path)).subtype in _FINER
