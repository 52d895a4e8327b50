"""Reads entries from each form of corpus: a manifest, other tools' lists of recordings, a folder, a single file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from firstpacket.bench.corpus.containers.errors import no_file
from firstpacket.bench.corpus.containers.forms import READ_SUFFIXES
from firstpacket.bench.corpus.listings import Listing, listed_files, reader_of, unread_lists
from firstpacket.bench.corpus.manifest import (
    MANIFEST,
    Entry,
    ManifestLine,
    entries,
    name_as_id,
    read_manifest,
    read_text,
)
from firstpacket.bench.corpus.readers.row import NotUsable, Row, text_columns
from firstpacket.bench.corpus.unread import named, unread_files
from firstpacket.bench.corpus.wrong_forms import refuse_wrong_form
from firstpacket.bench.errors import CorpusError
from firstpacket.bench.sanitize import clean


@dataclass(frozen=True, slots=True)
class Source:
    """The recordings of a corpus, in order; and sentences on what is there and was not read."""

    entries: tuple[Entry, ...]
    notices: tuple[str, ...] = ()


def read_source(path: Path) -> Source:
    """What a corpus at `path` consists of; no recording is opened.

    A manifest's recordings have its order, those of a folder without any list are sorted by name. Raises `CorpusError`
    if there is nothing at `path`, nothing in it, or something wrong with it.
    """
    try:
        found = _read_folder(path) if path.is_dir() else _read_file(path)
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror}). Check the path and its permissions.") from error
    return found


def _read_file(path: Path, files: Iterable[Path] = ()) -> Source:
    if not path.is_file():
        raise no_file(path)
    if (reader := reader_of(path)) is not None:
        return _listed(path.parent, Listing(reader, (path,)), files)
    refuse_wrong_form(path)
    if path.suffix in (".jsonl", ".json"):
        return Source(_some(read_manifest(path), path.name, path.parent))
    return Source(entries(path.parent, [(str(path), _bare_line(path))]))


def _read_folder(folder: Path) -> Source:
    manifest = folder / MANIFEST
    if manifest.is_dir():
        raise CorpusError(f"{manifest}: is a folder. A manifest is a file; rename the folder, or give it as --corpus.")
    files = sorted(
        (
            file
            for file in folder.iterdir()
            if file.suffix.lower() in READ_SUFFIXES and not file.name.startswith(".") and not file.is_dir()
        ),
        key=lambda file: file.name,
    )
    if manifest.exists() or manifest.is_symlink():
        return _read_file(manifest, files)
    listings = listed_files(folder)
    if len(listings) == 1:
        try:
            return _listed(folder, listings[0], files)
        except NotUsable as error:
            if not files:
                raise
            passed_over = f"{named(listings[0].names)} is not used: {clean(str(error))}"
            return _bare(folder, files, (passed_over,))
    notices = (_choice(folder, listings),) if listings else ()
    if not files:
        others = " ".join((*notices, *unread_lists(folder), *unread_files(folder)))
        wanted = f"Add {', '.join(READ_SUFFIXES)} files or a {MANIFEST}."
        raise CorpusError(f"{folder}: contains no recordings that can be read. {others or wanted}")
    return _bare(folder, files, notices)


def _bare(folder: Path, files: Sequence[Path], notices: tuple[str, ...]) -> Source:
    """A folder's recordings by themselves."""
    others = () if notices else unread_lists(folder)
    found = entries(folder, [(str(file), _bare_line(file)) for file in files])
    return Source(found, (*notices, *others, *unread_files(folder)))


def _bare_line(file: Path) -> ManifestLine:
    """A recording without a manifest: named after its file, with text from the .txt of the same name."""
    beside = file.with_suffix(".txt")
    text = read_text(beside).strip() if beside.is_file() else ""
    return ManifestLine(id=name_as_id(file.stem), audio=file.name, text=text or None)


def _listed(folder: Path, listing: Listing, files: Iterable[Path] = ()) -> Source:
    """The recordings that another tool's list names; `files` are those of the folder."""
    rows = [row for path in listing.paths for row in listing.reader.rows(path)]
    lines = _some(entries(folder, _lines(listing.reader.kind, folder, rows)), named(listing.names), folder)
    found = tuple(replace(entry, length_ms=row.length_ms) for entry, row in zip(lines, rows, strict=True))
    known = {entry.audio.name for entry in found if entry.audio.parent == folder}
    unknown = [file.name for file in files if file.name not in known]
    return Source(found, (*_several_texts(listing, rows), *_not_listed(listing, unknown)))


def _some(found: tuple[Entry, ...], lists: str, folder: Path) -> tuple[Entry, ...]:
    if not found:
        raise CorpusError(f"{folder / lists}: contains no recordings. List at least one, or remove the file.")
    return found


def _lines(kind: str, folder: Path, rows: Iterable[Row]) -> Iterator[tuple[str, ManifestLine]]:
    """The rows as lines of a manifest. Other tools need no unique ids: the second of a name is called NAME-2."""
    seen: Counter[str] = Counter()
    for row in rows:
        seen[row.id] += 1
        assert isinstance(row.sound, Path), "readers of files name files"
        if row.start_ms:
            raise NotUsable(
                f"{row.where}: is a cut that begins {row.start_ms:g} ms into its recording. Cut the recordings"
                f" with: bench corpus import {kind} {folder} -o FOLDER"
            )
        yield (
            row.where,
            ManifestLine(
                id=row.id if seen[row.id] == 1 else f"{row.id}-{seen[row.id]}",
                audio=row.sound.relative_to(folder).as_posix(),
                text=row.text,
                speech_end_ms=row.speech_end_ms,
                dialogue=row.dialogue,
                turn=row.turn,
            ),
        )


def _several_texts(listing: Listing, rows: Sequence[Row]) -> tuple[str, ...]:
    columns = text_columns(rows[0].columns) if rows else ()
    if len(columns) < 2 or any(row.text for row in rows):
        return ()
    return (
        f"No texts are used: several columns of {named(listing.names)} may be what is said ({', '.join(columns)}). Keep"
        " one of them, or choose it with: bench corpus import audiofolder FOLDER --text COLUMN -o NEW",
    )


def _not_listed(listing: Listing, names: Sequence[str]) -> tuple[str, ...]:
    if not names:
        return ()
    were, them = ("recording was", "it") if len(names) == 1 else ("recordings were", "them")
    return (f"{len(names)} {were} skipped: {named(listing.names)} does not list {them} ({named(names)}).",)


def _choice(folder: Path, listings: Sequence[Listing]) -> str:
    names = [name for listing in listings for name in listing.names]
    return (
        f"{named(names)} list recordings, and none of them is used. Pass the one to use, for example: --corpus"
        f" {clean(str(folder / names[0]))}"
    )
