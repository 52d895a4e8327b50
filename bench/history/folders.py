"""Finds run folders below a folder, ordered by date."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from firstpacket.bench.errors import RunError
from firstpacket.bench.record.schema import Manifest
from firstpacket.bench.record.store import MANIFEST, read_manifest


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run by its manifest; `name` is its path relative to the searched folder."""

    path: Path
    name: str
    when: datetime


@dataclass(frozen=True, slots=True)
class Skipped:
    """A folder, or a label of a run, that was skipped, and why."""

    name: str
    reason: str


def run_folders(folder: Path) -> tuple[list[RunFolder], list[Skipped]]:
    """The runs, and what cannot be used. Raises `RunError` if there is no such folder."""
    if not folder.is_dir():
        raise RunError(f"{folder} is not a folder. Pass the folder that contains your run folders, such as reports.")
    found: list[RunFolder] = []
    skipped: list[Skipped] = []
    seen: dict[tuple[str, str], str] = {}
    for path in _with_manifest(folder):
        name = str(path.relative_to(folder))
        try:
            manifest = read_manifest(path)
            when = _date(manifest)
        except RunError as error:
            skipped.append(Skipped(name, str(error)))
            continue
        first = seen.setdefault((manifest.run, manifest.created), name)
        if first == name:
            found.append(RunFolder(path, name, when))
        else:
            skipped.append(Skipped(name, f"It is a copy of {first}."))
    return sorted(found, key=lambda each: (each.when, each.name)), skipped


def _with_manifest(folder: Path) -> Iterator[Path]:
    """In order of names; symbolic links are not followed, and run folders are not searched."""
    for at, below, files in os.walk(folder):
        if MANIFEST in files:
            below.clear()
            yield Path(at)
        below.sort()


def _date(manifest: Manifest) -> datetime:
    try:
        when = datetime.fromisoformat(manifest.created)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise RunError(f"Its date '{manifest.created[:80]}' is invalid.") from None
