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
from firstpacket.bench.corpus.audio import SILENT_BELOW, check_header, check_samples
from firstpacket.bench.corpus.readers.row import NoSound, Row
from firstpacket.bench.errors import CorpusError, MissingDependency
from firstpacket.pipelines.tools.corpora.importing.source import sha256

TOO_LONG = "longer than --longest"
SILENT = "silent"
UNREADABLE = "unreadable"

_FULL_SCALE = 2**15
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
    """Whether 16 bits are not all that the source has: it is compressed with loss, or has more bits."""


def store(row: Row, out: Path, longest_s: float) -> Stored:
    """Decode a row's sound and write it to `out`. Raises `LeftOut`."""
    with _file(row, out.parent) as path:
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
def _file(row: Row, folder: Path) -> Iterator[Path]:
    """The row's sound as a file, since decoders check files."""
    if isinstance(row.sound, Path):
        if not row.sound.is_file():
            raise LeftOut("no sound", f"{row.sound} does not exist")
        yield row.sound
        return
    try:
        content = row.sound()
    except NoSound as error:
        raise LeftOut(str(error)) from error
    with NamedTemporaryFile(dir=folder) as file:
        file.write(content)
        file.flush()
        yield Path(file.name)


def _decoded(path: Path, row: Row, longest_s: float) -> tuple[npt.NDArray[np.int16], int, bool]:
    """Samples `(n, channels)`, their rate, and whether they had to be rounded."""
    try:
        header = decoders.probe(path)
        check_header(path, header)
        rate = header.sample_rate
        start = round(row.start_ms * rate / 1000)
        frames = header.frames - start
        if row.length_ms is not None:
            frames = min(frames, round(row.length_ms * rate / 1000))
        if frames > longest_s * rate:
            raise LeftOut(TOO_LONG, f"{frames / rate:.1f} s")
        block = decoders.read(header, start + max(0, frames))[start:]
        if not len(block) or len(block) < frames or header.channels > _MOST_CHANNELS:
            raise LeftOut(UNREADABLE, f"{len(block)} of {frames} frames could be decoded, {header.channels} channels")
        for channel in block.T:
            check_samples(path, channel)
    except CorpusError as error:
        raise LeftOut(UNREADABLE, str(error).replace(str(path), "the sound")) from error
    if float(np.abs(block).max()) < SILENT_BELOW:
        raise LeftOut(SILENT)
    scaled = block * _FULL_SCALE
    samples = np.clip(np.rint(scaled), -_FULL_SCALE, _FULL_SCALE - 1)
    return samples.astype(np.int16), rate, bool((samples != scaled).any())
