"""FLAC written into a pipe: its header says that the number of samples is not known, and its last frame tells it.

Format: RFC 9639, sections 8.2 (stream information), 9.1 (frame header), 9.3 (checksum).
"""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from firstpacket.bench.corpus.containers.errors import truncated
from firstpacket.bench.corpus.containers.layout import Layout, Part

_BEGINNING = re.compile(rb"fLaC[\x00\x80]\0\0\x22")
"""The marker, and the header of the stream information."""
_SEARCHED = 1 << 28
_LARGEST_BLOCK = slice(10, 12)
_HEAD = 42
"""Bytes of the marker and of the first block, which is always the stream information."""
_LARGEST_FRAME = 1 << 20
_LONGEST_HEADER = 16
_MOST_TRIES = 16
"""Places that look like a frame's beginning by their own checksum; more do not occur by chance."""
_SIZES = {1: 192, **{code: 576 << code - 2 for code in range(2, 6)}, **{code: 256 << code - 8 for code in range(8, 16)}}
_SIZE_IN_8_BITS, _SIZE_IN_16_BITS = 6, 7
_SAMPLES_MASK = (1 << 36) - 1


def read_layout(path: Path, file: BinaryIO, start: int, end: int) -> Layout:
    """Where a FLAC file's sound lies: in parts if files were joined. Raises `CorpusError` if one is truncated."""
    file.seek(start)
    found = _BEGINNING.finditer(file.read(min(end - start, _SEARCHED)))
    borders = [start, *(start + each.start() for each in found if each.start()), end]
    parts = [_part(path, file, first, last) for first, last in pairwise(borders)]
    return Layout(tuple(part for part, _ in parts), len(parts) > 1 or any(longer for _, longer in parts))


def _part(path: Path, file: BinaryIO, start: int, end: int) -> tuple[Part, bool]:
    """One FLAC stream with its length counted, and whether it has more samples than it states."""
    file.seek(start)
    head = file.read(_HEAD)
    if len(head) < _HEAD:
        return Part(start, end), False
    stated = int.from_bytes(head[18:26]) & _SAMPLES_MASK
    file.seek(max(start + _HEAD, end - _LARGEST_FRAME))
    samples = _samples(file.read(end - file.tell()), int.from_bytes(head[_LARGEST_BLOCK]), stated)
    if samples is None and not stated:
        raise truncated(path, "its last frame is incomplete")
    if samples is None or samples <= stated:
        return Part(start, end), False
    return Part(start + _HEAD, end, _with_samples(head, samples)), stated > 0


def _with_samples(head: bytes, samples: int) -> bytes:
    others = int.from_bytes(head[18:26]) & ~_SAMPLES_MASK
    return head[:18] + (others | samples & _SAMPLES_MASK).to_bytes(8) + head[26:]


def _samples(tail: bytes, block: int, stated: int) -> int | None:
    """Samples up to the end of the last frame in `tail`; None if it is not whole. `block`: samples of the others."""
    position, tries = len(tail), 0
    while tries < _MOST_TRIES and (position := tail.rfind(b"\xff", 0, position)) >= 0:
        end = _end_of_frame(tail[position : position + _LONGEST_HEADER], block)
        if end is not None:
            if end == stated or _checksum(tail[position:], 16, 0x8005) == 0:
                return end
            tries += 1
    return None


def _end_of_frame(header: bytes, block: int) -> int | None:
    """The number of the sample behind a frame, by the frame's header; None if this is no such header."""
    if len(header) < 6 or header[0] != 0xFF or header[1] & 0xFE != 0xF8:
        return None
    number, length = _coded_number(header[4:])
    code, at = header[2] >> 4, 4 + length
    extra = {_SIZE_IN_8_BITS: 1, _SIZE_IN_16_BITS: 2}.get(code, 0)
    size = int.from_bytes(header[at : at + extra]) + 1 if extra else _SIZES.get(code, 0)
    at += extra + {12: 1, 13: 2, 14: 2}.get(header[2] & 0xF, 0)
    if not length or not size or at >= len(header) or _checksum(header[:at], 8, 0x07) != header[at]:
        return None
    return (number if header[1] & 1 else number * block) + size


def _coded_number(text: bytes) -> tuple[int, int]:
    """A number in UTF-8's scheme, up to 36 bits, and its length in bytes, which is 0 for an invalid one."""
    ones = 8 - (text[0] ^ 0xFF).bit_length()
    if ones in (1, 8) or len(text) < max(1, ones):
        return 0, 0
    number = text[0] & (0x7F >> ones)
    for byte in text[1 : max(1, ones)]:
        number = number << 6 | byte & 0x3F
    return number, max(1, ones)


def _checksum(data: bytes, bits: int, polynomial: int) -> int:
    """Cyclic redundancy check, most significant bit first, from 0: 0 over data followed by their checksum."""
    table = _table(bits, polynomial)
    crc, mask = 0, (1 << bits) - 1
    for byte in data:
        crc = (crc << 8 ^ table[crc >> bits - 8 ^ byte]) & mask
    return crc


@cache
def _table(bits: int, polynomial: int) -> tuple[int, ...]:
    return tuple(_rotated(byte, bits, polynomial) for byte in range(256))


def _rotated(byte: int, bits: int, polynomial: int) -> int:
    crc = byte << bits - 8
    for _ in range(8):
        crc = crc << 1 ^ (polynomial if crc >> bits - 1 & 1 else 0)
    return crc & (1 << bits) - 1
