"""Ogg (Opus, Vorbis): whether all of its pages are there, and where one stream ends and the next begins.

Format: RFC 3533, section 6. A radio recorder or `cat` chains streams, of which decoders read only the first.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from firstpacket.bench.corpus.containers.errors import conversion, not_read, not_sound, truncated
from firstpacket.bench.corpus.containers.layout import Layout, Part

_PAGE, _HEADER = b"OggS", 27
_FIELDS = struct.Struct("<BqII")
_BEGINS, _ENDS = 0x02, 0x04
_CODECS = {b"OpusHead": "", b"\x01vorbis": "", b"Speex   ": "Speex in Ogg", b"\x7fFLAC": "FLAC in Ogg"}
_OTHER = "video or several streams at once in Ogg"


@dataclass(frozen=True, slots=True)
class _Page:
    start: int
    end: int
    flags: int
    samples: int
    """The position of the page's end in the sound."""
    serial: int
    number: int
    body: int

    @property
    def begins(self) -> bool:
        return bool(self.flags & _BEGINS)


def read_layout(path: Path, file: BinaryIO, start: int, end: int) -> Layout:
    """One part for each stream of a chain. Raises `CorpusError` for what is truncated, has a gap, or is not read."""
    file.seek(start)
    data = file.read(end - start)
    parts: list[Part] = []
    last: _Page | None = None
    tuned_in = False
    for page in _pages(path, data):
        if page.begins:
            if last and not last.flags & _ENDS:
                raise (
                    truncated(path, "one of its streams has no last page")
                    if not last.begins
                    else not_read(path, _OTHER)
                )
            _check_codec(path, data[page.body : page.end])
            parts.append(Part(start + page.start, start + page.end))
        elif last is None or not _follows(page, last):
            raise truncated(path, f"a page is missing at byte {start + page.start}")
        else:
            tuned_in |= page.number != last.number + 1
            parts[-1] = Part(parts[-1].start, start + page.end)
        last = page
    if last is None:
        raise not_sound(path, "an Ogg file without a whole page")
    if not last.flags & _ENDS:
        raise truncated(
            path, f"its last Ogg page is missing; if nothing else is, as in a recorded stream: {conversion(path)}"
        )
    return Layout(tuple(parts), tuned_in or len(parts) > 1)


def _pages(path: Path, data: bytes) -> Iterator[_Page]:
    """The pages of a file; what follows the last may be anything but a page. Raises `CorpusError`."""
    position = 0
    while data.startswith(_PAGE, position) and position + _HEADER <= len(data):
        segments = data[position + 26]
        body = position + _HEADER + segments
        end = body + sum(data[position + _HEADER : body])
        if end > len(data):
            raise truncated(path, "its last Ogg page is missing")
        flags, samples, serial, number = _FIELDS.unpack_from(data, position + 5)
        yield _Page(position, end, flags, samples, serial, number, body)
        position = end
    if (more := data.find(_PAGE, position)) >= 0:
        raise truncated(path, f"no Ogg page at byte {position}, but one at {more}")


def _follows(page: _Page, last: _Page) -> bool:
    """Whether no page is missing between two. Who tunes in to a stream gets its headers (at 0), then a later page."""
    return page.serial == last.serial and (page.number == last.number + 1 or last.samples == 0)


def _check_codec(path: Path, packet: bytes) -> None:
    form = next((form for magic, form in _CODECS.items() if packet.startswith(magic)), _OTHER)
    if form:
        raise not_read(path, form)
