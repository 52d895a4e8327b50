"""WAV: RIFF, RIFX, RF64 and BW64. Finds the sound, also where the sizes in the header are not those of the file.

A program that writes WAV into a pipe cannot go back to fill in sizes. It leaves a placeholder: 0, the largest number,
or any other. A download that broke off has fewer bytes than announced as well, but must be refused. With `sound` the
announced size of the sound, it is taken for a placeholder, and the file read to its end, if

    sound is less than half of what there is (0, for example), and no chunks fill the rest, or
    sound is more than there is, and
        is 0x7FFFF000 or more, or
        does not fit into the announced size of the file, or
        it or that size, or the number after it, is a multiple of 1,000,000 or of 2^20, or
        it would last more than ten minutes: a whole recording of that length would be too long in any case

RF64: EBU Tech 3306. Formats: <https://learn.microsoft.com/windows/win32/api/mmeapi/ns-mmeapi-waveformatex>.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from firstpacket.bench.corpus.containers.errors import conversion, not_read, not_sound, truncated
from firstpacket.bench.corpus.containers.layout import Layout, Part
from firstpacket.bench.corpus.containers.tags import skip_zeros
from firstpacket.bench.errors import CorpusError

MAGICS = {b"RIFF": "<", b"RIFX": ">", b"RF64": "<", b"BW64": "<"}

_UNKNOWN_FROM = 0x7FFF_F000
_ROUND = (1_000_000, 1 << 20)
_LONGEST_S = 600
_UNFILLED = 0xFFFF_FFFF
_STRAY_S = 0.1
_LARGEST_PART = 0xFFFF_0000
"""The bytes of sound that a header of 32-bit sizes can announce; nothing as long as that is decoded to its end."""
_LARGEST_HEAD = 1 << 16
_EXTENSIBLE = 0xFFFE
_SUBFORMAT = 24
"""Where the format chunk of an extensible file has the coding."""
_UNCOMPRESSED = (1, 3, _EXTENSIBLE)
_MOST_BITS = 32
_CHUNKS = (b"LIST", b"JUNK", b"id3 ", b"ID3 ", b"bext", b"fact", b"cue ", b"PEAK", b"smpl", b"iXML", b"_PMX", b"FLLR")
"""Chunks whose own end may be missing behind the sound: nobody hears it."""
_FOREIGN = {0x50: "MPEG layer II in WAV", 0x55: "MP3 in WAV", 0xFF: "AAC in WAV", 0x1600: "AAC in WAV"}
_CODINGS = {
    0x20: "Yamaha ADPCM",
    0x22: "TrueSpeech",
    0x45: "G.726",
    0x55: "MP3",
    0x64: "G.726",
    0x65: "G.722",
    0x83: "G.729",
    0x160: "WMA",
    0x161: "WMA",
    0x28F: "G.722",
    0x2000: "AC-3",
    0x566F: "Vorbis",
    0xF1AC: "FLAC",
}
"""Names of codings that a decoder may not know."""


@dataclass(frozen=True, slots=True)
class _Header:
    """What stands before the sound: sizes as announced, `body` where the sound begins."""

    order: str
    file_bytes: int
    """What the header says of the file, without its own first eight bytes."""
    sound_bytes: int
    body: int
    format: bytes
    fact: bytes

    @property
    def codec(self) -> int:
        return int(struct.unpack_from(self.order + "H", self.format)[0])

    @property
    def is_plain(self) -> bool:
        return self.codec in _UNCOMPRESSED

    @property
    def frame_bytes(self) -> int:
        return max(1, int(struct.unpack_from(self.order + "H", self.format, 12)[0]))

    @property
    def second_bytes(self) -> int:
        rate = int(struct.unpack_from(self.order + "I", self.format, 4)[0])
        return max(1, rate * self.frame_bytes if self.is_plain else rate)


def read_layout(path: Path, file: BinaryIO, start: int, end: int) -> Layout:
    """Where a WAV file's sound lies: in several parts where a program wrote one header after another.

    Raises `CorpusError` for a file that is truncated, has no sound, or a format that cannot be decoded.
    """
    parts: list[Part] = []
    to_the_end = False
    while not parts or _is_wav(file, start, end):
        header = _read_header(path, file, start, end)
        if header.codec in _FOREIGN:
            raise not_read(path, _FOREIGN[header.codec])
        length, unstated = _sound(path, file, header, start, end)
        parts.append(Part(header.body, header.body + min(length, _LARGEST_PART), _head(header, length)))
        start, to_the_end = _next_chunk(file, header.body, length, end, header.order), to_the_end or unstated
    return Layout(tuple(parts), to_the_end or len(parts) > 1)


def plain_format(part: Part) -> tuple[int, int, int]:
    """Sample rate, channels and frames of a part of uncompressed sound, by its header."""
    _, channels, rate, _, frame_bytes = struct.unpack_from(MAGICS[part.head[:4]] + "HHIIH", part.head, 20)
    return rate, channels, (part.end - part.start) // max(1, frame_bytes)


def unread_coding(part: Part) -> str:
    """What the sound of a part is coded as; empty for samples of at most 32 bits, which every decoder reads."""
    order = MAGICS[part.head[:4]]
    form = part.head[20 : 20 + int(struct.unpack_from(order + "I", part.head, 16)[0])]
    coding, bits = (int(struct.unpack_from(order + "H", form, at)[0]) for at in (0, 14))
    if coding == _EXTENSIBLE and len(form) >= _SUBFORMAT + 2:
        coding = int(struct.unpack_from(order + "H", form, _SUBFORMAT)[0])
    if coding in _UNCOMPRESSED:
        return f"WAV with samples of {bits} bits" if bits > _MOST_BITS else ""
    return f"{_CODINGS.get(coding, f'coding 0x{coding:04X}')} in WAV"


def _read_header(path: Path, file: BinaryIO, start: int, end: int) -> _Header:
    file.seek(start)
    lead = file.read(12)
    if len(lead) < 12:
        raise not_sound(path, "a WAV header that is not complete", "Download or export it again, or remove it.")
    order = MAGICS[lead[:4]]
    file_bytes = struct.unpack_from(order + "I", lead, 4)[0]
    found: dict[bytes, bytes] = {}
    position = start + 12
    while chunk := _chunk(file, position, end, order):
        name, length = chunk
        body = position + 8
        if name == b"data":
            break
        if name in (b"fmt ", b"fact", b"ds64") and length <= _LARGEST_HEAD:
            found[name] = file.read(length)
        position = _next_chunk(file, body, length, end, order)
    else:
        raise not_sound(path, "a WAV header without sound behind it", "Record or export it again, or remove it.")
    if len(found.get(b"fmt ", b"")) < 16:
        raise not_sound(path, "a WAV header that does not say its format", "Export it again, or remove it.")
    if len(sizes := found.get(b"ds64", b"")) >= 16:
        large_file, large_sound = struct.unpack_from(order + "QQ", sizes)
        file_bytes = large_file if file_bytes == _UNFILLED else file_bytes
        length = large_sound if length == _UNFILLED else length
    return _Header(order, file_bytes, length, body, found[b"fmt "], found.get(b"fact", b""))


def _chunk(file: BinaryIO, position: int, end: int, order: str) -> tuple[bytes, int] | None:
    """Name and size of the chunk at `position`; None if there is none."""
    file.seek(position)
    head = file.read(8) if position + 8 <= end else b""
    if len(head) < 8 or not all(32 <= letter < 127 for letter in head[:4]):
        return None
    return head[:4], int(struct.unpack_from(order + "I", head, 4)[0])


def _next_chunk(file: BinaryIO, body: int, length: int, end: int, order: str) -> int:
    """Where the next chunk begins: after a byte that makes the size even, which some programs forget."""
    even = body + length + length % 2
    return body + length if length % 2 and _chunk(file, even, end, order) is None else even


def _is_wav(file: BinaryIO, position: int, end: int) -> bool:
    file.seek(position)
    lead = file.read(12) if position + 12 <= end else b""
    return lead[:4] in MAGICS and lead[8:] == b"WAVE"


def _sound(path: Path, file: BinaryIO, header: _Header, start: int, end: int) -> tuple[int, bool]:
    """Bytes of sound, and whether they were taken to the end of the file. Raises `CorpusError`."""
    announced, present = header.sound_bytes, end - header.body
    if announced >= present:
        if announced - present < header.frame_bytes:
            return present, False
        if _is_placeholder(header, start):
            return present, True
        raise truncated(
            path,
            f"its header announces {announced} bytes of sound, but only {present} are present. If it is whole, and that"
            f" size a placeholder: {conversion(path, '-ignore_length', '1')}",
        )
    if _is_explained(file, header, end):
        return announced, False
    if 2 * announced < present:
        return present, True
    raise CorpusError(
        f"{path}: its header announces {announced} bytes of sound, but {present - announced} bytes of something else"
        f" follow. If they are sound as well: {conversion(path, '-ignore_length', '1')}. If not, cut them off."
    )


def _is_placeholder(header: _Header, start: int) -> bool:
    sound, file = header.sound_bytes, header.file_bytes
    if sound >= _UNKNOWN_FROM or header.body - start - 8 + sound > file or sound > _LONGEST_S * header.second_bytes:
        return True
    return any((size + more) % step == 0 for size in (sound, file) for more in (0, 1) for step in _ROUND)


def _is_explained(file: BinaryIO, header: _Header, end: int) -> bool:
    """Whether another header, chunks, zeros or a few stray bytes fill the file from the end of its sound."""
    position = _next_chunk(file, header.body, header.sound_bytes, end, header.order)
    while chunk := _chunk(file, position, end, header.order):
        name, length = chunk
        if _is_wav(file, position, end):
            return header.sound_bytes > 0
        if position + 8 + length > end:
            if name in _CHUNKS:
                return True
            break
        position = _next_chunk(file, position + 8, length, end, header.order)
    stray = end - skip_zeros(file, position, end)
    return stray < (_STRAY_S * header.second_bytes if header.sound_bytes else 8)


def _head(header: _Header, length: int) -> bytes:
    """A plain header with the true size. A `fact` chunk counts the frames of compressed sound."""
    kept = {b"fmt ": header.format} | ({b"fact": header.fact} if header.fact and not header.is_plain else {})
    length = min(length, _LARGEST_PART)
    chunks = b"".join(_packed(header.order, name, body) + body + b"\0" * (len(body) % 2) for name, body in kept.items())
    chunks += struct.pack(header.order + "4sI", b"data", length)
    size = struct.pack(header.order + "I", min(4 + len(chunks) + length, _UNFILLED))
    return (b"RIFF" if header.order == "<" else b"RIFX") + size + b"WAVE" + chunks


def _packed(order: str, name: bytes, body: bytes) -> bytes:
    return struct.pack(order + "4sI", name, len(body))
