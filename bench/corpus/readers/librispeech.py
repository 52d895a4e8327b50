"""Chapters in LibriSpeech's form: SPEAKER-CHAPTER.trans.txt has an id and a text per line; the sound is ID.flac."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from firstpacket.bench.corpus.containers.forms import READ_SUFFIXES
from firstpacket.bench.corpus.manifest import inside, read_text
from firstpacket.bench.corpus.readers.row import Reader, Row
from firstpacket.bench.errors import CorpusError

SUFFIX = ".trans.txt"


def rows(path: Path) -> Iterator[Row]:
    """One row per line. Raises `CorpusError` with file and line."""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        name, _, text = line.strip().partition(" ")
        if not name:
            continue
        where = f"{path}:{number}"
        if not text.strip():
            raise CorpusError(f"{where}: has no text. A line is an id and what is said, separated by a space.")
        yield Row(
            where=where,
            id=name,
            sound=_sound(path.parent, name, where),
            text=text.strip(),
            speaker=name.partition("-")[0] if "-" in name else "",
        )


def _sound(folder: Path, name: str, where: str) -> Path:
    """ID.flac, or the file of another form that is there instead."""
    usual = inside(folder, f"{name}.flac", where)
    others = (usual.with_name(f"{name}{suffix}") for suffix in READ_SUFFIXES)
    return usual if usual.is_file() else next((other for other in others if other.is_file()), usual)


def _find(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(file for file in folder.iterdir() if file.name.endswith(SUFFIX) and file.is_file()))


READER = Reader("librispeech", _find, rows, together=True)
