"""Manifests of NVIDIA NeMo: JSON Lines, often called *.json, with `audio_filepath`, `text` and seconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from firstpacket.bench.corpus.manifest import inside, json_lines
from firstpacket.bench.corpus.readers.row import NotUsable, Reader, Row, spoken_text
from firstpacket.bench.corpus.readers.sniff import first_object
from firstpacket.bench.errors import CorpusError

SOUND = "audio_filepath"
SUFFIXES = (".json", ".jsonl")


def rows(path: Path) -> Iterator[Row]:
    """One row per line. Raises `CorpusError`, `NotUsable` for sound outside the manifest's folder."""
    for where, columns in json_lines(path):
        name = columns.get(SOUND) if isinstance(columns, dict) else None
        if not isinstance(name, str) or not name:
            raise CorpusError(
                f"{where}: '{SOUND}' is missing or not text. Every line needs the path of its sound file."
            )
        sound = _sound(path.parent, name, where)
        duration = _seconds(columns, "duration", where)
        yield Row(
            where=where,
            id=sound.relative_to(path.parent).with_suffix("").as_posix(),
            sound=sound,
            text=spoken_text(columns),
            start_ms=1000 * (_seconds(columns, "offset", where) or 0),
            length_ms=None if duration is None else 1000 * duration,
            columns=columns,
        )


def _sound(folder: Path, name: str, where: str) -> Path:
    """The file, which an absolute path may name too."""
    relative = PurePosixPath(name)
    if relative.is_absolute():
        root = PurePosixPath(folder.resolve())
        relative = relative.relative_to(root) if relative.is_relative_to(root) else relative
    try:
        return inside(folder, str(relative), where)
    except CorpusError as error:
        raise NotUsable(str(error)) from error


def _seconds(columns: Mapping[str, Any], name: str, where: str) -> float | None:
    value = columns.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise CorpusError(f"{where}: {name} is {value!r}. Give seconds.")
    return float(value)


def _find(folder: Path) -> tuple[Path, ...]:
    files = sorted(file for file in folder.iterdir() if file.suffix in SUFFIXES and file.is_file())
    return tuple(file for file in files if SOUND in first_object(file))


READER = Reader("nemo", _find, rows)
