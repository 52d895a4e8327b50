"""Tags before and after sound: titles and covers that taggers put around any form of file.

ID3v2: <https://id3.org/id3v2.4.0-structure>; ID3v1: the last 128 bytes; APEv2: <https://wiki.hydrogenaud.io/index.php?title=APEv2_specification>.
"""

from __future__ import annotations

import re
import struct
from typing import BinaryIO

_ID3V2_FOOTER = 0x10
_ID3V1_BYTES = 128
_APE_BYTES = 32
_APE_HAS_HEADER = 1 << 31
_LYRICS = re.compile(rb"(\d{6})LYRICS200$")
_BLOCK = 1 << 16


def skip_tags(file: BinaryIO, start: int, end: int) -> int:
    """The offset behind all tags, and their padding of zeros, that begin at `start`."""
    while start < end and (length := _tag_bytes(file, start)):
        start = skip_zeros(file, min(start + length, end), end)
    return start


def without_tail(file: BinaryIO, start: int, end: int) -> int:
    """The offset at which the tags at the end of a file begin; `end` if there are none."""
    while (before := _before_tail(file, start, end)) < end:
        end = before
    return end


def _tag_bytes(file: BinaryIO, at: int) -> int:
    file.seek(at)
    head = file.read(_APE_BYTES)
    if head[:3] == b"ID3" and len(head) >= 10 and max(head[6:10]) < 0x80:
        size = sum(value << shift for value, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        return 10 + size + (10 if head[5] & _ID3V2_FOOTER else 0)
    if head[:3] == b"TAG":
        return _ID3V1_BYTES
    if head[:8] == b"APETAGEX" and len(head) == _APE_BYTES:
        return _APE_BYTES + int(struct.unpack_from("<I", head, 12)[0])
    return 0


def skip_zeros(file: BinaryIO, at: int, end: int) -> int:
    """The offset of the first byte from `at` that is not zero; `end` if all are."""
    file.seek(at)
    while at < end and (block := file.read(min(_BLOCK, end - at))):
        if rest := block.lstrip(b"\0"):
            return at + len(block) - len(rest)
        at += len(block)
    return at


def _before_tail(file: BinaryIO, start: int, end: int) -> int:
    file.seek(max(start, end - _ID3V1_BYTES))
    tail = file.read(end - max(start, end - _ID3V1_BYTES))
    if len(tail) == _ID3V1_BYTES and tail.startswith(b"TAG"):
        return end - _ID3V1_BYTES
    if len(ape := tail[-_APE_BYTES:]) == _APE_BYTES and ape.startswith(b"APETAGEX"):
        size, _, flags = struct.unpack_from("<III", ape, 12)
        whole = size + (_APE_BYTES if flags & _APE_HAS_HEADER else 0)
        return max(start, end - whole) if whole >= _APE_BYTES else end
    if lyrics := _LYRICS.search(tail):
        return max(start, end - int(lyrics[1]) - len(lyrics[0]))
    return end
