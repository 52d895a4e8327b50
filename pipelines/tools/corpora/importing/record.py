"""`import.json`: how a corpus was imported, so that it can be repeated and doubted."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from firstpacket.bench.codec import DecodeError, decode, encode
from firstpacket.bench.corpus.manifest import parse_json, read_text
from firstpacket.bench.errors import CorpusError
from firstpacket.bench.vocabulary import AnswerRule

RECORD = "import.json"
SCHEMA = 1
KIND = "firstpacket.corpus_import"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What decides which recordings are taken, and how: two imports that want the same give the same corpus."""

    kind: str
    dataset: str
    subset: str
    splits: tuple[str, ...]
    revision: str
    """Commit of the download, or `sha256:` and a hash over those of the source files."""
    sources: dict[str, str]
    """SHA-256 of the source files, by their paths below the source's folder."""
    language: str
    take: int | None
    seed: int
    drawn_over: str
    """`speakers` or `categories`; empty if all are taken, or if neither is known."""
    text: str
    """The column with what is said; empty if there is none."""
    answers: str
    answer_rule: AnswerRule
    licence: str
    licence_from: str
    """Where the licence was read: `as --licence says`, `as known of the data set`, `as …/README.md states`."""
    longest_s: float


@dataclass(frozen=True, slots=True)
class LeftOutRows:
    """Rows that are not in the corpus for one reason."""

    count: int
    ids: tuple[str, ...]
    detail: str = ""
    """Of the first one."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows of the source; `rows` is the sum of those considered (taken or left out) and of those not drawn."""

    rows: int
    taken: int
    dialogues: int = 0
    speakers: int = 0
    seconds: float = 0.0
    rounded: int = 0
    """Recordings that were rounded to 16 bits: compressed with loss, or of more bits."""
    left_out: dict[str, LeftOutRows] = field(default_factory=dict)
    """By reason."""
    unusable_answers: int = 0
    """Rows whose answers the rule cannot judge, such as one letter for `contains`; they have none in the manifest."""


@dataclass(frozen=True, slots=True)
class ImportRecord:
    """One import."""

    schema: int
    command: tuple[str, ...]
    versions: dict[str, str]
    wanted: Wanted
    counts: Counts | None = None
    """None while the import is not complete."""
    notices: tuple[str, ...] = ()


def write_record(folder: Path, record: ImportRecord) -> None:
    """Write the record into the corpus's folder."""
    values = {"kind": KIND, **encode(record)}
    (folder / RECORD).write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_record(folder: Path) -> ImportRecord | None:
    """The record of an imported corpus; None if the folder has none. Raises `CorpusError` for a damaged one."""
    path = folder / RECORD
    if not path.is_file():
        return None
    values = parse_json(read_text(path), str(path))
    if isinstance(values, dict):
        values.pop("kind", None)
    try:
        return decode(ImportRecord, values, str(path))
    except DecodeError as error:
        raise CorpusError(f"{error}. The folder is not one that `bench corpus import` wrote.") from error
