"""Reads entries from each form of corpus: a manifest, a question.json, a folder, a single file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from firstpacket.bench.corpus.manifest import (
    MANIFEST,
    Entry,
    ManifestLine,
    entries,
    parse_json,
    read_manifest,
    read_text,
)
from firstpacket.bench.errors import CorpusError

QUESTIONS = "question.json"
SUFFIXES = (".wav", ".flac", ".mp3", ".opus", ".ogg")


def read_source(path: Path) -> tuple[Entry, ...]:
    """Entries of a corpus at `path`, in the manifest's order, a folder's files sorted by name.

    Raises `CorpusError` if there is nothing at `path`, nothing in it, or something wrong with it.
    """
    try:
        found = _read(path)
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror}). Check the path and its permissions.") from error
    if not found:
        raise CorpusError(f"{path}: contains no recordings. Add at least one.")
    return found


def _read(path: Path) -> tuple[Entry, ...]:
    if path.is_dir():
        for name in (MANIFEST, QUESTIONS):
            if (path / name).is_file():
                return _read(path / name)
        return _read_folder(path)
    if path.suffix == ".jsonl":
        return read_manifest(path)
    if path.suffix == ".json":
        return entries(path.parent, _questions(path))
    return entries(path.parent, [(str(path), _bare_line(path))])


def _read_folder(folder: Path) -> tuple[Entry, ...]:
    files = sorted(
        (file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")),
        key=lambda file: file.name,
    )
    if not files:
        raise CorpusError(
            f"{folder}: contains no recordings. Add {', '.join(SUFFIXES)} files, a {MANIFEST} or a {QUESTIONS}."
        )
    return entries(folder, [(str(file), _bare_line(file)) for file in files])


def _bare_line(file: Path) -> ManifestLine:
    """A recording without a manifest: named after its file, with text from the .txt of the same name."""
    beside = file.with_suffix(".txt")
    text = read_text(beside).strip() if beside.is_file() else ""
    return ManifestLine(id=file.stem, audio=file.name, text=text or None)


def _questions(path: Path) -> Iterator[tuple[str, ManifestLine]]:
    """InstructS2S-Eval's form. Its `conversations` hold the prompt, not what is said, so there is no text."""
    items = parse_json(read_text(path), str(path))
    if not isinstance(items, list):
        raise CorpusError(f"{path}: is not a list of questions. Each needs an id and a speech file.")
    for number, item in enumerate(items):
        where = f"{path}[{number}]"
        yield where, ManifestLine(id=_field(item, "id", where), audio=_field(item, "speech", where))


def _field(item: Any, name: str, where: str) -> str:
    value = item.get(name) if isinstance(item, dict) else None
    if not isinstance(value, str):
        raise CorpusError(f"{where}: '{name}' is missing or not text. Each question needs an id and a speech file.")
    return value
