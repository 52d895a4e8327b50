"""The files of a downloaded data set: which there are, which revision they are, and what licence is stated."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from firstpacket.bench.corpus.readers import audiofolder, librispeech, parquet
from firstpacket.bench.corpus.readers.row import Reader
from firstpacket.bench.errors import CorpusError

_SHARD = re.compile(r"(?P<split>.+?)-(?P<number>\d+)-of-(?P<count>\d+)(?:-[0-9a-f]+)?")
_NUMBER = re.compile(r"\d+")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_METADATA = Path(".cache/huggingface/download")
"""Where `hf download --local-dir` keeps the commit of every file, below the folder."""
_NO_SUBSET = ("", ".", "data")


@dataclass(frozen=True, slots=True)
class Part:
    """The files of one split of one subset, in order; both are empty where the data set has none."""

    subset: str
    split: str
    files: tuple[Path, ...]
    missing: tuple[str, ...] = ()
    """Shards that their names announce and that are not there."""


def parquet_parts(path: Path) -> tuple[Part, ...]:
    """Parquet files below a folder, or one file. Splits are in file names only (`test-00000-of-00002.parquet`)."""
    named: dict[tuple[str, str], list[Path]] = {}
    for file in _visible(path, parquet.READER.find(path)) if path.is_dir() else _single(path, parquet.SUFFIX):
        named.setdefault(_subset_and_split(path, file), []).append(file)
    return tuple(Part(*names, tuple(files), tuple(_missing(files))) for names, files in named.items())


def audiofolder_parts(path: Path) -> tuple[Part, ...]:
    """Metadata files in a folder and the folders in it, which are its splits; or one metadata file."""
    if not path.is_dir():
        return tuple(Part("", "", (file,)) for file in _single(path, *audiofolder.SUFFIXES))
    folders = [path, *sorted(each for each in path.iterdir() if each.is_dir() and not each.name.startswith("."))]
    parts = []
    for folder in folders:
        files = audiofolder.READER.find(folder)
        if len(files) > 1:
            raise CorpusError(
                f"{folder}: has {' and '.join(file.name for file in files)}. Name the file that counts as PATH."
            )
        parts += [Part("", "" if folder == path else folder.name, files)] if files else []
    return tuple(parts)


def librispeech_parts(path: Path) -> tuple[Part, ...]:
    """Chapters below a folder, SPLIT/SPEAKER/CHAPTER or below one split, or one chapter's file of texts."""
    if not path.is_dir():
        return listed_parts(librispeech.READER, path)
    splits: dict[str, list[Path]] = {}
    for file in sorted(_visible(path, path.rglob(f"*{librispeech.SUFFIX}"))):
        folders = file.relative_to(path).parent.parts
        splits.setdefault(folders[0] if len(folders) > 2 else "", []).append(file)
    return tuple(Part("", split, tuple(files)) for split, files in splits.items())


def listed_parts(reader: Reader, path: Path) -> tuple[Part, ...]:
    """The lists of recordings in a folder, each a split of its name if there are several; or one list."""
    files = reader.find(path) if path.is_dir() else (path,)
    return tuple(Part("", file.stem if len(files) > 1 else "", (file,)) for file in files)


def revision(path: Path, files: Iterable[Path]) -> str:
    """The commit that all files were downloaded at; empty if no file or not the same one is recorded.

    `hf download --local-dir` records it beside the files; in the hub's cache it is the name of their folder.
    """
    commits = {_commit(path, file) for file in files}
    return commits.pop() if len(commits) == 1 else ""


def repository(path: Path) -> str:
    """The data set's name on the hub, if `path` is in the hub's cache; else empty."""
    for folder in (path, *path.parents):
        if folder.name.startswith("datasets--"):
            return folder.name.removeprefix("datasets--").replace("--", "/")
    return ""


def stated_licence(path: Path) -> tuple[str, Path | None]:
    """The licence that the data set's card states, and the card; ("", None) if there is none.

    The card is in the folder, or in that of the download which the folder is a part of.
    """
    folder = path if path.is_dir() else path.parent
    download = next((each for each in folder.absolute().parents if _is_download(each)), folder)
    for card in (folder / "README.md", download / "README.md"):
        if card.is_file() and (licence := _licence(card)):
            return licence, card
    return "", None


def sha256(file: Path) -> str:
    """Hash of a file."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def require_inside(path: Path, file: Path) -> None:
    """Raise `CorpusError` if a link leads out of the source's folder; the hub's cache links to its own `blobs`."""
    root = (path if path.is_dir() else path.parent).absolute()
    roots = [
        root.resolve(),
        *(folder.parent.resolve() / "blobs" for folder in (root, *root.parents) if _is_cache(folder)),
    ]
    if not any(file.resolve().is_relative_to(each) for each in roots):
        raise CorpusError(
            f"{file}: is a link to a file outside {root}, which is not followed. If you trust it, replace it with the"
            " file."
        )


def _single(path: Path, *suffixes: str) -> tuple[Path, ...]:
    return (path,) if path.suffix in suffixes and path.is_file() else ()


def _visible(root: Path, files: Iterable[Path]) -> Iterator[Path]:
    yield from (file for file in files if not any(part.startswith(".") for part in file.relative_to(root).parts))


def _subset_and_split(root: Path, file: Path) -> tuple[str, str]:
    folder, stem = file.parent, file.stem
    if shard := _SHARD.fullmatch(stem):
        split = shard["split"]
    elif _NUMBER.fullmatch(stem):  # SUBSET/SPLIT/0000.parquet, as the hub converts data sets
        folder, split = folder.parent, folder.name
    else:
        split = stem
    inside = folder.relative_to(root).as_posix() if folder.is_relative_to(root) else ""
    return ("" if inside in _NO_SUBSET else inside), split


def _missing(files: Iterable[Path]) -> Iterator[str]:
    shards = [match for file in files if (match := _SHARD.fullmatch(file.stem))]
    present = {int(shard["number"]) for shard in shards}
    for shard in shards[:1]:
        for number in sorted(set(range(int(shard["count"]))) - present)[:1000]:
            yield f"{shard['split']}-{number:0{len(shard['number'])}d}-of-{shard['count']}"


def _commit(path: Path, file: Path) -> str:
    for folder in file.absolute().parents:
        metadata = folder / _METADATA / f"{file.absolute().relative_to(folder)}.metadata"
        if metadata.is_file():
            first = metadata.read_text("utf-8", "replace").split("\n", 1)[0].strip()
            return first if _COMMIT.fullmatch(first) else ""
        if folder.parent.name == "snapshots" and _COMMIT.fullmatch(folder.name):
            return folder.name
    return ""


def _is_cache(folder: Path) -> bool:
    return folder.name == "snapshots" and folder.parent.name.startswith("datasets--")


def _is_download(folder: Path) -> bool:
    return (folder / _METADATA).is_dir() or folder.parent.name == "snapshots"


def _licence(card: Path) -> str:
    """`license:` in the card's front matter: a name, or a list of names."""
    text = card.read_text("utf-8", "replace")
    head = text.split("---", 2)[1] if text.startswith("---") and text.count("---") > 1 else ""
    if one := re.search(r"^license: *['\"]?([^\s'\"].*?)['\"]?\s*$", head, re.MULTILINE):
        return one[1]
    if several := re.search(r"^license: *\n((?:\s*- .+\n?)+)", head, re.MULTILINE):
        return ", ".join(re.findall(r"- ['\"]?(.+?)['\"]?\s*$", several[1], re.MULTILINE))
    return ""
