"""The length of an MP3 file. Most state it in their first frame; otherwise decoders guess it from the first bit rate.

libsndfile stops reading at that guess, so a file of variable bit rate without a stated length would silently lose its
end. Counting frame headers gives the true length.
"""

from __future__ import annotations

import re
from pathlib import Path

_LENGTH_TAG = re.compile(rb"(?:Xing|Info)...(.)", re.DOTALL)
_HAS_FRAMES = 0x01
_FIRST_FRAME = 1024

_KBIT_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBIT_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = (44_100, 48_000, 32_000)
_LAYER_3 = 1


def states_length(data: bytes) -> bool:
    """Whether an MP3 file states its number of frames."""
    start = _after_id3(data)
    tag = _LENGTH_TAG.search(data[start : start + _FIRST_FRAME])
    return tag is not None and bool(tag[1][0] & _HAS_FRAMES)


def count_samples(path: Path) -> int | None:
    """Samples per channel by the headers of all frames; None where the file states its length. Raises `OSError`."""
    data = path.read_bytes()
    if states_length(data):
        return None
    position, samples = _after_id3(data), 0
    while (frame := parse_frame(data[position : position + 4])) and position + frame[0] <= len(data):
        position += frame[0]
        samples += frame[1]
    return samples


def parse_frame(header: bytes) -> tuple[int, int] | None:
    """Bytes and samples per channel of the frame that begins with these four bytes; None if none of layer III does."""
    if len(header) < 4 or header[0] != 0xFF or header[1] >> 5 != 0b111 or header[1] >> 1 & 3 != _LAYER_3:
        return None
    version, rate, kbit = header[1] >> 3 & 3, header[2] >> 2 & 3, header[2] >> 4
    if version == 1 or rate == 3 or kbit in (0, 15):
        return None
    first = version == 3
    hertz = _RATES[rate] >> (0 if first else 1 if version == 2 else 2)
    bits = (_KBIT_1 if first else _KBIT_2)[kbit] * 1000
    samples = 1152 if first else 576
    return samples // 8 * bits // hertz + (header[2] >> 1 & 1), samples


def _after_id3(data: bytes) -> int:
    """The offset of the first frame, after an ID3 tag, whose length has seven bits per byte."""
    if not data.startswith(b"ID3") or len(data) < 10:
        return 0
    return 10 + sum(value << shift for value, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))
