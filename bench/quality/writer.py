"""The writer of `RUN/quality.jsonl`: appends lines; each is on disk before the next one is computed."""

from __future__ import annotations

import fcntl
import os
from contextlib import AbstractContextManager
from io import FileIO

from firstpacket.bench.errors import RunError, explained
from firstpacket.bench.quality.record import QUALITY, Line, audio_sha256, place, read_quality
from firstpacket.bench.record.store import Run, append, to_line


class Notebook:
    """Locks the file and knows its contents. Use as a context manager."""

    def __init__(self, run: Run) -> None:
        """Read the existing lines; an incomplete last line is cut off. Raises `RunError`."""
        self._path = run.path / QUALITY
        self.written = 0
        self._file = self._open()
        try:
            self._cut_torn_line()
            self._known = {place(line): audio_sha256(line) for line in read_quality(run).lines}
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Notebook:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def is_due(self, about: tuple[object, ...], sha256: str) -> bool:
        """Whether there is no line with this key yet, or only for another recording."""
        return self._known.get(about) != sha256

    def write(self, line: Line) -> None:
        """Append a line. Raises `RunError` if the disk is full; the file then ends after the last complete line."""
        with self._explained():
            append(self._file, to_line(line))
        self._known[place(line)] = audio_sha256(line)
        self.written += 1

    def _open(self) -> FileIO:
        with self._explained():
            if self._path.is_symlink():
                raise RunError(f"{self._path} is a link, and not followed. Remove it, and try again.")
            file = self._path.open("a+b", buffering=0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise RunError(f"{self._path} is being written by another bench process. Wait for it.") from error
        return file

    def _cut_torn_line(self) -> None:
        self._file.seek(0)
        content = self._file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.ftruncate(self._file.fileno(), whole)

    def _explained(self) -> AbstractContextManager[None]:
        return explained(f"Cannot write {self._path}", "Make room or allow it, and try again.")
