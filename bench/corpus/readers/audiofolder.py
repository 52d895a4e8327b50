"""Folders in the form of Hugging Face's "audiofolder": a metadata.csv or metadata.jsonl whose rows name sound files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from firstpacket.bench.corpus.manifest import inside, json_lines, read_text
from firstpacket.bench.corpus.readers.row import Reader, Row, spoken_text
from firstpacket.bench.errors import CorpusError

FILES = ("metadata.csv", "metadata.jsonl")
SUFFIXES = (".csv", ".jsonl")
FILE_NAME = "file_name"


def rows(path: Path) -> Iterator[Row]:
    """One row per recording that the metadata name. Raises `CorpusError` with file and line."""
    for where, columns in _table(path):
        name = columns.get(FILE_NAME)
        if not isinstance(name, str) or not name.strip():
            raise CorpusError(f"{where}: no {FILE_NAME}. Every row needs the name of its sound file in '{FILE_NAME}'.")
        name = name.replace("\\", "/")  # metadata written on Windows
        given = columns.get("id")
        yield Row(
            where=where,
            id=str(PurePosixPath(name).with_suffix("") if given is None or given == "" else given),
            sound=inside(path.parent, name, where),
            text=spoken_text(columns),
            columns=columns,
        )


def _find(folder: Path) -> tuple[Path, ...]:
    return tuple(folder / name for name in FILES if (folder / name).is_file())


def _table(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return _csv(path) if path.suffix == ".csv" else _jsonl(path)


def _csv(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True, skipinitialspace=True)
    if FILE_NAME not in (reader.fieldnames or ()):
        raise CorpusError(
            f"{path}: its first line names no column '{FILE_NAME}'. Begin with a line such as:"
            f" {FILE_NAME},transcription"
        )
    if len(set(reader.fieldnames or ())) < len(reader.fieldnames or ()):
        raise CorpusError(f"{path}: its first line has two columns of the same name. Rename or remove one.")
    while True:
        try:
            columns = next(reader, None)
        except csv.Error as error:
            raise CorpusError(
                f"{path}: is not valid CSV after line {reader.line_num} ({error}). Correct the file."
            ) from error
        if columns is None:
            return
        where = f"{path}:{reader.line_num}"
        if None in columns or None in columns.values():
            raise CorpusError(
                f"{where}: has another number of cells than the first line. Put cells with commas in double quotes."
            )
        yield where, columns


def _jsonl(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for where, columns in json_lines(path):
        if not isinstance(columns, dict):
            raise CorpusError(f"{where}: is not an object. Write one {{...}} per line.")
        yield where, columns


READER = Reader("audiofolder", _find, rows)
