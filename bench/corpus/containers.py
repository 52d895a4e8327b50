"""Facts from a sound file's container, read from a few bytes.

Decoders tolerate truncated files: libsndfile silently shortens a WAV or an Ogg to what is there. A truncated recording
would be measured as if its speech ended there, so the containers are checked.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

_UNKNOWN_LENGTH = 0x7FFF_F000
"""Data sizes from here on mean "unknown": programs that write WAV into a pipe use them."""
_LARGEST_OGG_PAGE = 65_307
_OGG_END_OF_STREAM = 0x04


@dataclass(frozen=True, slots=True)
class WavHeader:
    """Format of a RIFF WAV file, and the bytes of sound that its header promises and that the file holds."""

    channels: int
    sample_rate: int
    frame_bytes: int
    promised: int
    present: int

    @property
    def frames(self) -> int:
        """Frames that are present."""
        return min(self.promised, self.present) // max(self.frame_bytes, 1)

    @property
    def truncated(self) -> bool:
        """Whether at least one promised frame is missing."""
        return self.promised < _UNKNOWN_LENGTH and self.promised - self.present >= max(self.frame_bytes, 1)


def wav_header(path: Path) -> WavHeader | None:
    """Header of a RIFF WAV file; None for anything else, a broken header included. Raises `OSError`."""
    size = path.stat().st_size
    channels = rate = frame_bytes = 0
    with path.open("rb") as file:
        if not (lead := file.read(12)).startswith(b"RIFF") or lead[8:] != b"WAVE":
            return None
        while len(chunk := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", chunk)
            if name == b"data":
                return WavHeader(channels, rate, frame_bytes, length, size - file.tell()) if frame_bytes else None
            body = file.tell()
            if name == b"fmt " and len(fmt := file.read(16)) == 16:
                _, channels, rate, _, frame_bytes, _ = struct.unpack("<HHIIHH", fmt)
            file.seek(body + length + length % 2)
    return None


def ogg_truncated(path: Path) -> bool:
    """Whether an Ogg file (Opus or Vorbis) lacks its last page. Raises `OSError`."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _LARGEST_OGG_PAGE))
        tail = file.read()
    page = tail[tail.rfind(b"OggS") :] if b"OggS" in tail else b""
    if len(page) < 27 or not page[5] & _OGG_END_OF_STREAM:
        return True
    segments = page[26]
    return len(page) < 27 + segments + sum(page[27 : 27 + segments])
