"""MP3: frames one after another. Most files state their number in the first one; decoders guess it otherwise.

libsndfile stops reading at that guess, and at a stated number that counts only the first of several joined files. So
the frames are counted here, and where the file does not state that number, a first frame that does is put in front.
The tags `Xing` and `Info`: <http://gabriel.mp3-tech.org/mp3infotag.html>; `VBRI` has the same purpose.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from firstpacket.bench.corpus.containers.errors import conversion, not_sound, truncated
from firstpacket.bench.corpus.containers.layout import Layout, Part
from firstpacket.bench.corpus.containers.tags import skip_tags
from firstpacket.bench.errors import CorpusError

_XING = re.compile(rb"(?:Xing|Info)...(.)(....)", re.DOTALL)
_VBRI = re.compile(rb"VBRI.{10}(....)", re.DOTALL)
_HAS_FRAMES = 0x01
_SLACK = 2
"""Frames by which a stated number may differ: some programs count the first frame, which holds no sound."""
SEARCHED = 1 << 16
_LONGEST_TAG = 200

_KBIT_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBIT_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = (44_100, 48_000, 32_000)
LAYER_3 = 1
_MONO = 3
_NO_CHECKSUM, _VERSION, _RATE, _ROOMY = 0x01, 0x18, 0x0C, 0x90
"""Bits of a frame's header; the last is a bit rate at which a frame has room for a tag."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Of one frame: its length in bytes, samples per channel, and the offset of a tag that states the file's length."""

    length: int
    samples: int
    tag: int


@dataclass(frozen=True, slots=True)
class _Tag:
    """The number of frames that a file states, and whether libsndfile goes by it."""

    frames: int | None
    is_decoded: bool


@dataclass(frozen=True, slots=True)
class _Walked:
    """What follows the first frame: how many there are in all, the end of the last, and how the file ends."""

    frames: int
    end: int
    joined: bool
    """Whether tags lie between frames, as in files that were put one after another."""
    whole: bool
    """Whether no frame begins that does not end."""


def read_layout(path: Path, file: BinaryIO, start: int, end: int) -> Layout:
    """Where an MP3 file's frames lie. Raises `CorpusError` for a truncated file, and for one without frames."""
    file.seek(start)
    data = file.read(end - start)
    first = find_frame(data)
    if first is None:
        raise not_sound(path, "no MPEG audio frame in it")
    walked = _walk(path, file, data, start, first)
    begin, end = start + first, start + walked.end
    tag = _tag(data[first : first + _LONGEST_TAG])
    stated = tag.frames if tag else None
    if stated is None and not walked.whole:
        raise truncated(path, "its last frame is incomplete")
    if stated is not None and stated > walked.frames:
        raise truncated(path, f"it states {stated} frames, but only {walked.frames} are present")
    exact = stated is not None and walked.frames - stated <= _SLACK
    if tag and tag.is_decoded and exact:
        return Layout((Part(begin, end),))
    silent = parse_frame(data[first : first + 4]) if tag else None
    head = _stating(data[first:], walked.frames - (silent is not None))
    to_the_end = walked.joined or (stated is not None and not exact)
    return Layout((Part(begin + (silent.length if silent else 0), end, head),), to_the_end)


def find_frame(data: bytes) -> int | None:
    """Where the first frame begins: at once, or after some bytes that are none, if another follows it."""
    position = -1
    while (position := data.find(b"\xff", position + 1, SEARCHED)) >= 0:
        if frame := parse_frame(data[position : position + 4]):
            after = position + frame.length
            if parse_frame(data[after : after + 4]) or (position == 0 and after <= len(data)):
                return position
    return None


def parse_frame(header: bytes) -> Frame | None:
    """The frame that begins with these four bytes; None if none of layer III does."""
    if len(header) < 4 or header[0] != 0xFF or header[1] >> 5 != 0b111 or header[1] >> 1 & 3 != LAYER_3:
        return None
    version, rate, kbit = header[1] >> 3 & 3, header[2] >> 2 & 3, header[2] >> 4
    if version == 1 or rate == 3 or kbit in (0, 15):
        return None
    first, mono = version == 3, header[3] >> 6 == _MONO
    hertz = _RATES[rate] >> (0 if first else 1 if version == 2 else 2)
    bits = (_KBIT_1 if first else _KBIT_2)[kbit] * 1000
    samples = 1152 if first else 576
    side = (17 if mono else 32) if first else (9 if mono else 17)
    return Frame(samples // 8 * bits // hertz + (header[2] >> 1 & 1), samples, 4 + side)


def _form(data: bytes, position: int) -> tuple[int, int, bool]:
    """Of the frame at `position`: its version and sample rate, as coded, and whether it is mono."""
    return data[position + 1] & _VERSION, data[position + 2] & _RATE, data[position + 3] >> 6 == _MONO


def _changes(path: Path, at: int) -> CorpusError:
    return CorpusError(
        f"{path}: its sample rate or number of channels changes at byte {at}, as in files with different settings that"
        f" were joined. Convert it: {conversion(path)}"
    )


def _walk(path: Path, file: BinaryIO, data: bytes, start: int, position: int) -> _Walked:
    """Follow the frames from `position`, over tags between them. Raises `CorpusError` for a gap."""
    counted, joined, whole, form = 0, False, True, None
    while True:
        while whole and (frame := parse_frame(data[position : position + 4])):
            if form not in (None, _form(data, position)):
                raise _changes(path, start + position)
            form = _form(data, position) if counted else None  # the first frame may be a tag in another form
            if whole := position + frame.length <= len(data):
                position += frame.length
                counted += 1
        behind = skip_tags(file, start + position, start + len(data)) - start
        if behind == position or parse_frame(data[behind : behind + 4]) is None:
            break
        position, joined = behind, True
    if whole and (more := find_frame(data[behind : behind + SEARCHED])) is not None:
        raise truncated(path, f"bytes {start + behind} to {start + behind + more} are no MPEG audio frames")
    return _Walked(counted, position, joined, whole)


def _tag(first: bytes) -> _Tag | None:
    """What the first frame states, if it is one that holds a tag in place of sound."""
    if xing := _XING.search(first):
        return _Tag(int(struct.unpack(">I", xing[2])[0]) if xing[1][0] & _HAS_FRAMES else None, is_decoded=True)
    if vbri := _VBRI.search(first):
        return _Tag(int(struct.unpack(">I", vbri[1])[0]), is_decoded=False)
    return None


def _stating(first: bytes, frames: int) -> bytes:
    """A frame in the form of the first one, without sound, that states the number of frames."""
    header = bytes((first[0], first[1] | _NO_CHECKSUM, _ROOMY | first[2] & _RATE, first[3]))
    frame = parse_frame(header)
    assert frame is not None
    tag = struct.pack(">4sII", b"Xing", _HAS_FRAMES, frames)
    return (header + bytes(frame.tag - 4) + tag).ljust(frame.length, b"\0")
