"""Corpora that come with this project: the folders under `datasets/`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from firstpacket.bench.corpus.manifest import MANIFEST
from firstpacket.bench.corpus.readers import llama_omni
from firstpacket.bench.paths import DATASETS


@dataclass(frozen=True, slots=True)
class Listing:
    """A corpus by name: the folder it lies in, and the first paragraph of its README."""

    name: str
    folder: Path
    description: str


def list_corpora() -> tuple[Listing, ...]:
    """Corpora under `datasets/`, by name; nothing is decoded."""
    return tuple(Listing(folder.name, folder, _description(folder)) for folder in sorted(_folders()))


def _folders() -> Iterator[Path]:
    if DATASETS.is_dir():
        yield from (folder for folder in DATASETS.iterdir() if _holds_corpus(folder))


def _holds_corpus(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (MANIFEST, *llama_omni.FILES))


def _description(folder: Path) -> str:
    """First paragraph of the README below its title, on one line; empty without a README."""
    readme = folder / "README.md"
    paragraphs = readme.read_text(encoding="utf-8").split("\n\n") if readme.is_file() else []
    prose = (" ".join(part.split()) for part in paragraphs if part.strip() and not part.startswith("#"))
    return next(prose, "")
