"""Samples → WAV, as servers take it; audio as they send it, piece by piece → samples: PCM or WAV, by its first bytes.

What a server was asked for, and what it says it sends, is often something else. So a WAV header gives the rate if there
is one, and its sizes count only as far as they can be true: servers that stream write 0 or the largest number.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from firstpacket.bench.pipeline import Samples
from firstpacket.pipelines.pcm import pcm16
from firstpacket.pipelines.remote.problems import ServerError

LOWEST_RATE, HIGHEST_RATE = 8_000, 192_000
MOST_CHANNELS = 8
LONGEST_HEADER = 1 << 16
BEGIN = 12
"""Bytes that tell what a sound is."""
UNKNOWN_SIZE = 0x7FFF0000
"""A size in a header from this on, or of 0, is not meant."""
FORMATS = {b"OggS": "Ogg", b"fLaC": "FLAC", b"ID3": "MP3"}
COMPRESSED = ("audio/mpeg", "audio/mp3", "audio/aac", "audio/ogg", "audio/opus", "audio/flac")
AFTER_DATA = (b"LIST", b"fact", b"cue ", b"smpl", b"id3 ", b"bext", b"PEAK", b"JUNK", b"iXML")
"""Chunks that may follow the samples."""
_KINDS: dict[tuple[int, int], np.dtype[Any]] = {(1, 16): np.dtype("<i2"), (3, 32): np.dtype("<f4")}


def wav(samples: Samples, rate: int) -> bytes:
    """Mono samples in [-1, 1] as a WAV file of 16 bits."""
    pcm = pcm16(samples).tobytes()
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    return struct.pack("<4sI4s", b"RIFF", 36 + len(pcm), b"WAVE") + form + struct.pack("<4sI", b"data", len(pcm)) + pcm


class SoundStream:
    """Decodes one sound. `rate` in Hz, unless it says so itself; `content_type` helps to explain what is no sound.

    Raises `ServerError` for what is neither PCM nor WAV.
    """

    def __init__(self, rate: int, content_type: str = "") -> None:
        self.rate = rate
        self.format = ""
        """`pcm` or `wav`, once known."""
        self.samples = 0
        """Samples given so far."""
        self._content_type = content_type
        self._pending = b""
        self._dtype: np.dtype[Any] = _KINDS[1, 16]
        self._channels = 1
        self._left: int | None = None
        """Bytes of samples that are still to come, if the header's size can be true."""

    def feed(self, data: bytes) -> Samples:
        """The samples that these bytes complete, `(n,)`, often none."""
        self._pending += data
        if not self.format:
            self._recognise()
        return self._pending_samples() if self.format else np.zeros(0, np.float32)

    @property
    def waiting(self) -> bool:
        """Whether there are bytes that were not given as samples."""
        return bool(self._pending)

    def end(self) -> Samples:
        """The rest. Raises `ServerError` if all of it was no sound."""
        if not self.format and self._pending:
            self._recognise(whole=True)
        rest = self._pending_samples() if self.format else np.zeros(0, np.float32)
        if not self.samples:
            what = f"only the header of a {self.format} file" if self.format == "wav" else "no audio"
            raise ServerError(f"its answer has {what}")
        return rest

    def _recognise(self, whole: bool = False) -> None:
        begin = self._pending
        if len(begin) < BEGIN and not whole:
            return
        if begin.startswith(b"RIFF"):
            self._read_header(whole)
            return
        compressed = next((name for magic, name in FORMATS.items() if begin.startswith(magic)), "")
        if not compressed and begin[0] == 0xFF and self._content_type in COMPRESSED:
            compressed = self._content_type
        if compressed:
            raise ServerError(f"it sends {compressed}, though PCM was asked for; only PCM and WAV are understood")
        self.format = "pcm"

    def _read_header(self, whole: bool) -> None:
        """Read a WAV header up to its samples, once it is there."""
        at, begin = 12, self._pending
        has_format = False
        while len(begin) >= at + 8:
            name, (size,) = begin[at : at + 4], struct.unpack_from("<I", begin, at + 4)
            if name == b"data":
                if not has_format:
                    raise ServerError("its WAV file does not say what it holds")
                self.format, self._pending = "wav", begin[at + 8 :]
                self._left = size if 0 < size < UNKNOWN_SIZE else None
                return
            end = at + 8 + min(max(size, 16), 40)
            if name == b"fmt " and len(begin) >= end:
                self._read_format(begin[at + 8 : end])
                has_format = True
            at += 8 + size + size % 2
            if at > LONGEST_HEADER:
                break
        if whole or len(begin) > LONGEST_HEADER or at > LONGEST_HEADER:
            raise ServerError("it sends a WAV file whose header has no end")

    def _read_format(self, fmt: bytes) -> None:
        code, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", fmt)
        if code == 0xFFFE and len(fmt) >= 26:
            (code,) = struct.unpack_from("<H", fmt, 24)
        if (code, bits) not in _KINDS or not 1 <= channels <= MOST_CHANNELS or not LOWEST_RATE <= rate <= HIGHEST_RATE:
            raise ServerError(
                f"it sends a WAV file of format {code} with {bits} bits, {channels} channels and {rate} Hz, which is "
                "not supported"
            )
        self._dtype, self._channels, self.rate = _KINDS[code, bits], channels, rate

    def _pending_samples(self) -> Samples:
        """Whole frames of what is there."""
        size = self._dtype.itemsize * self._channels
        data = self._within_size()
        count = len(data) // size
        samples: Samples = np.frombuffer(data, self._dtype, count * self._channels)
        self._pending = self._pending[count * size :]
        if self._left is not None:
            self._left -= count * size
        self.samples += count
        if self._dtype.kind == "i":
            samples = samples.astype(np.float32) / np.float32(2**15)
        mono: Samples = samples.reshape(-1, self._channels).mean(axis=1, dtype=np.float32)
        return mono

    def _within_size(self) -> bytes:
        """What is there of the samples: a size that ends in the middle of them was a lie."""
        if self._left is None or len(self._pending) < self._left + 4:
            return self._pending if self._left is None else self._pending[: self._left]
        if self._pending[self._left : self._left + 4] in AFTER_DATA:
            return self._pending[: self._left]
        self._left = None
        return self._pending
