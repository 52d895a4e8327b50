"""Which files of a folder list its recordings, and in which tool's form."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from firstpacket.bench.corpus.estimates import ESTIMATES
from firstpacket.bench.corpus.readers import audiofolder, librispeech, llama_omni, nemo
from firstpacket.bench.corpus.readers.row import Reader
from firstpacket.bench.corpus.readers.sniff import beginning, csv_header, first_object
from firstpacket.bench.corpus.unread import named
from firstpacket.bench.corpus.wrong_forms import LISTS, wrong_form

READERS = (llama_omni.READER, audiofolder.READER, nemo.READER, librispeech.READER)
"""Readers of folders and files given as a corpus; others are used by imports only."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One file that lists recordings, or several that do so together, in the form of a reader."""

    reader: Reader
    paths: tuple[Path, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The files' names."""
        return tuple(path.name for path in self.paths)


def listed_files(folder: Path) -> tuple[Listing, ...]:
    """The lists in a folder; several are a choice, which only the user can make. Raises `OSError`."""
    found = []
    for reader in READERS:
        files = tuple(path for path in reader.find(folder) if reader_of(path) is reader)
        found += [Listing(reader, files)] if reader.together and files else [Listing(reader, (file,)) for file in files]
    return tuple(found)


def reader_of(path: Path) -> Reader | None:
    """The reader of a file by its name and its first line; None for a manifest of ours, sound, and everything else."""
    if path.name in llama_omni.FILES:
        return llama_omni.READER
    if path.name.endswith(librispeech.SUFFIX):
        return librispeech.READER
    if path.suffix == ".csv":
        return audiofolder.READER if audiofolder.FILE_NAME in csv_header(path) else None
    if path.suffix in nemo.SUFFIXES:
        if path.suffix == ".json" and (start := beginning(path)).startswith("[") and '"speech"' in start:
            return llama_omni.READER
        first = first_object(path)
        if nemo.SOUND in first:
            return nemo.READER
        return audiofolder.READER if audiofolder.FILE_NAME in first else None
    return None


def unread_lists(folder: Path) -> tuple[str, ...]:
    """A sentence on files in a folder that may list its recordings but are in no form that is read."""
    files = sorted(
        file
        for file in folder.iterdir()
        if Path(file.name.removesuffix(".gz")).suffix.lower() in LISTS
        and not file.name.startswith(".")
        and file.name != ESTIMATES
        and (file.is_file() or not file.exists())
    )
    if not files:
        return ()
    said = "is not read, though it" if len(files) == 1 else "are not read, though they"
    what = wrong_form(files[0])
    about = f" {named([files[0].name])}: {what}." if what else ""
    return (f"{named(file.name for file in files)} {said} may say what is in the recordings.{about}",)
