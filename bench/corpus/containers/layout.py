"""Where the sound lies in a file, and the streams that a decoder reads instead of the file."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import BinaryIO, Literal

Form = Literal["WAV", "FLAC", "Ogg", "MP3"]


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes `start` to `end` of a file: a complete sound file once `head` is put in front of them."""

    start: int
    end: int
    head: bytes = b""


@dataclass(frozen=True, slots=True)
class Layout:
    """The parts of a file that hold its sound, in order; more than one if files were joined."""

    parts: tuple[Part, ...]
    to_the_end: bool = False
    """Whether the file does not state its own length, and was taken to its end."""


class PartStream(io.RawIOBase):
    """A part of an open file as a file of its own."""

    def __init__(self, file: BinaryIO, part: Part) -> None:
        self._file, self._part, self._position = file, part, 0
        self._length = len(part.head) + part.end - part.start

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to `offset` from the part's beginning, the position, or the part's end."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._length}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def tell(self) -> int:
        """The position in the part."""
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer from the head, or else from the file."""
        head = self._part.head
        if self._position < len(head):
            block = head[self._position : self._position + len(buffer)]
        else:
            self._file.seek(self._part.start + self._position - len(head))
            block = self._file.read(max(0, min(len(buffer), self._length - self._position)))
        buffer[: len(block)] = block
        self._position += len(block)
        return len(block)
