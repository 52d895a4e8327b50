"""Audio as servers want it: 16-bit PCM at their rate, or G.711 at 8 kHz; and back.

The resampler delays audio by half a millisecond or two (`Encoder.delay_ns`), while general-purpose streaming
resamplers buffer 20 to 90 ms, which a server's voice activity detector would be late by.
"""

from __future__ import annotations

from math import gcd
from typing import Literal

import numpy as np
import numpy.typing as npt

from firstpacket.bench.pipeline import SAMPLE_RATE, Samples
from firstpacket.pipelines.pcm import pcm16

Format = Literal["pcm", "pcmu", "pcma"]
G711_RATE = 8_000
WIDTH = {"pcm": 2, "pcmu": 1, "pcma": 1}
"""Bytes of a sample."""
HALF_WIDTH = 8
"""Samples, at the lower of the two rates, on each side of an interpolated one."""


class Resampler:
    """A windowed sinc that takes samples at `SAMPLE_RATE` as they come; positions are kept exactly."""

    def __init__(self, rate: int) -> None:
        common = gcd(rate, SAMPLE_RATE)
        self._up, self._down = rate // common, SAMPLE_RATE // common
        cutoff = min(1.0, rate / SAMPLE_RATE)
        self.half = 0 if rate == SAMPLE_RATE else round(HALF_WIDTH / cutoff)
        """Input samples that the newest output needs beyond its own position."""
        taps = np.arange(1 - self.half, self.half + 1)
        offsets = taps[None] - np.arange(self._up)[:, None] / self._up
        window = 0.5 + 0.5 * np.cos(np.pi * np.clip(offsets / max(self.half, 1), -1, 1))
        kernel = cutoff * np.sinc(cutoff * offsets) * window
        self._taps = taps
        self._kernel = (kernel / kernel.sum(axis=1, keepdims=True)).astype(np.float32) if self.half else kernel
        self._buffer = np.zeros(self.half, np.float32)
        self._buffer_start = -self.half
        """Position of the first buffered sample."""
        self._next = 0
        """Number of the next output sample."""

    def push(self, samples: Samples) -> Samples:
        """The output samples that these complete."""
        if not self.half:
            return samples
        self._buffer = np.concatenate((self._buffer, samples))
        complete = self._buffer_start + len(self._buffer) - self.half
        outputs = np.arange(self._next, -(-complete * self._up // self._down))
        at, phase = outputs * self._down // self._up, outputs * self._down % self._up
        inputs = self._buffer[at[:, None] + self._taps[None] - self._buffer_start]
        self._next += len(outputs)
        used = self._next * self._down // self._up - self.half - self._buffer_start
        self._buffer, self._buffer_start = self._buffer[max(used, 0) :], self._buffer_start + max(used, 0)
        result: Samples = np.einsum("ij,ij->i", inputs, self._kernel[phase]).astype(np.float32)
        return result


class Encoder:
    """Encodes the user's speech piece by piece for one connection."""

    def __init__(self, format: Format, rate: int) -> None:
        self.rate = rate if format == "pcm" else G711_RATE
        self._format: Format = format
        self._resampler = Resampler(self.rate)
        self.delay_ns = self._resampler.half * 1_000_000_000 // SAMPLE_RATE
        """By how much what is sent is behind what was pushed."""

    def push(self, samples: Samples) -> bytes:
        """The bytes to send."""
        return encode(self._resampler.push(samples), self._format)

    def media_ns(self, data: int) -> int:
        """Duration of this many bytes of audio."""
        return data // WIDTH[self._format] * 1_000_000_000 // self.rate


def encode(samples: Samples, format: Format) -> bytes:
    """Samples `(n,)` in [-1, 1] as little-endian 16-bit PCM or G.711."""
    pcm = pcm16(samples)
    if format == "pcm":
        return pcm.tobytes()
    return _nearest(pcm, MU_LAW if format == "pcmu" else A_LAW).tobytes()


def decode(data: bytes, format: Format) -> Samples:
    """Samples `(n,)` in [-1, 1]; an odd last byte of PCM is dropped."""
    if format == "pcm":
        pcm = np.frombuffer(data[: len(data) // 2 * 2], "<i2")
    else:
        pcm = (MU_LAW if format == "pcmu" else A_LAW)[np.frombuffer(data, np.uint8)]
    return pcm.astype(np.float32) / np.float32(32768)


def _mu_law_table() -> npt.NDArray[np.int16]:
    """ITU-T G.711, table 2a: the value of every code, as 16 bits."""
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    size = ((((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84
    return np.where(code & 0x80, -size, size).astype(np.int16)


def _a_law_table() -> npt.NDArray[np.int16]:
    """ITU-T G.711, table 1a: the value of every code, as 16 bits."""
    code = np.arange(256, dtype=np.int32) ^ 0x55
    segment, step = (code & 0x70) >> 4, (code & 0x0F) << 4
    size = np.where(segment == 0, step + 8, (step + 0x108) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, size, -size).astype(np.int16)


MU_LAW, A_LAW = _mu_law_table(), _a_law_table()


def _nearest(pcm: npt.NDArray[np.int16], table: npt.NDArray[np.int16]) -> npt.NDArray[np.uint8]:
    """The code of the nearest value."""
    order = np.argsort(table, kind="stable")
    values = table[order].astype(np.int32)
    borders = (values[1:] + values[:-1]) // 2
    codes: npt.NDArray[np.uint8] = order[np.searchsorted(borders, pcm)].astype(np.uint8)
    return codes
