"""Reads entries from each form of corpus: a manifest, a question.json, a folder, a single file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from firstpacket.bench.corpus.containers.forms import READ_SUFFIXES
from firstpacket.bench.corpus.manifest import (
    MANIFEST,
    Entry,
    ManifestLine,
    entries,
    name_as_id,
    parse_json,
    read_manifest,
    read_text,
)
from firstpacket.bench.corpus.unread import unread_files
from firstpacket.bench.errors import CorpusError

QUESTIONS = "question.json"


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


def left_out(path: Path) -> tuple[str, ...]:
    """Sentences on recordings at `path` that `read_source` does not read: those of a folder without a list of them."""
    if not path.is_dir() or _listing(path):
        return ()
    try:
        return unread_files(path)
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror}). Check its permissions.") from error


def _read(path: Path) -> tuple[Entry, ...]:
    if path.is_dir():
        listing = _listing(path)
        return _read(listing) if listing else _read_folder(path)
    if path.suffix == ".jsonl":
        return read_manifest(path)
    if path.suffix == ".json":
        return entries(path.parent, _questions(path))
    return entries(path.parent, [(str(path), _bare_line(path))])


def _listing(folder: Path) -> Path | None:
    """The file in a folder that lists its recordings."""
    return next((folder / name for name in (MANIFEST, QUESTIONS) if (folder / name).is_file()), None)


def _read_folder(folder: Path) -> tuple[Entry, ...]:
    files = sorted(
        (file for file in folder.iterdir() if file.suffix.lower() in READ_SUFFIXES and not file.name.startswith(".")),
        key=lambda file: file.name,
    )
    if not files:
        others = " ".join(unread_files(folder))
        wanted = f"Add {', '.join(READ_SUFFIXES)} files, a {MANIFEST} or a {QUESTIONS}."
        raise CorpusError(f"{folder}: contains no recordings that can be read. {others or wanted}")
    return entries(folder, [(str(file), _bare_line(file)) for file in files])


def _bare_line(file: Path) -> ManifestLine:
    """A recording without a manifest: named after its file, with text from the .txt of the same name."""
    beside = file.with_suffix(".txt")
    text = read_text(beside).strip() if beside.is_file() else ""
    return ManifestLine(id=name_as_id(file.stem), audio=file.name, text=text or None)


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
