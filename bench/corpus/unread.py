"""What a folder of recordings holds that is not read: sound in other forms, and subfolders with recordings."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from firstpacket.bench.corpus.containers.errors import conversion
from firstpacket.bench.corpus.containers.forms import OTHER_SUFFIXES, READ_SUFFIXES
from firstpacket.bench.corpus.manifest import MANIFEST
from firstpacket.bench.sanitize import clean

_SHOWN = 5
_MOST_FILES = 10_000
"""Files that are looked at in one subfolder; a wrong path may lead to a whole disk."""


def unread_files(folder: Path) -> tuple[str, ...]:
    """Sentences on what reading the recordings of `folder` leaves out. Raises `OSError`."""
    return (*_other_forms(folder), *_subfolders(folder))


def _other_forms(folder: Path) -> Iterator[str]:
    files = sorted(file for file in folder.iterdir() if _has_suffix(file.name, OTHER_SUFFIXES) and file.is_file())
    if files:
        count = "1 file was" if len(files) == 1 else f"{len(files)} files were"
        yield (
            f"{count} skipped: formats that are not read ({named(file.name for file in files)})."
            f" Convert each, for example: {clean(conversion(files[0]))}"
        )


def _subfolders(folder: Path) -> Iterator[str]:
    counted = {each.name: _count(each) for each in sorted(folder.iterdir()) if each.is_dir()}
    found = {name: count for name, count in counted.items() if count}
    if found:
        total = sum(found.values())
        more = " or more" if _MOST_FILES in found.values() else ""
        were = "recording in subfolders was" if total == 1 else "recordings in subfolders were"
        yield (
            f"{total}{more} {were} skipped ({named(found)}): only files directly in {folder} are read."
            f" Pass a subfolder instead, or list the recordings in {folder / MANIFEST}."
        )


def _count(folder: Path) -> int:
    """Recordings in a folder and all below it, links not followed."""
    files = (name for _, _, names in os.walk(folder) for name in names)
    return sum(_has_suffix(name, {*READ_SUFFIXES, *OTHER_SUFFIXES}) for name in islice(files, _MOST_FILES))


def _has_suffix(name: str, suffixes: Iterable[str]) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in suffixes


def named(names: Iterable[str]) -> str:
    """The first few names, made fit to print."""
    every = [clean(name) for name in names]
    return ", ".join(every[:_SHOWN]) + (", …" if every[_SHOWN:] else "")
