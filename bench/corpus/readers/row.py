"""What every reader yields: one recording, as the files of another tool describe it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firstpacket.bench.errors import CorpusError

TEXT_COLUMNS = ("transcription", "text", "transcript", "sentence", "prompt", "question")
"""Names under which data sets keep what is said in a recording."""


class NoSound(Exception):
    """Raised by a row that has no sound, with the reason in two or three words."""


class NotUsable(CorpusError):
    """Raised for rows that are in order but cannot be measured as they are, such as cuts of longer recordings."""


@dataclass(frozen=True, slots=True)
class Row:
    """One recording. Its text and times are unchecked, and its sound has not been opened."""

    where: str
    """File and line, for messages."""
    id: str
    sound: Path | Callable[[], bytes]
    """The sound file, which lies in the corpus's folder, or what reads the content of one. Raises `NoSound`."""
    text: str | None = None
    """What is said; None if the source does not say, or has several columns that could be it."""
    answers: tuple[str, ...] = ()
    speaker: str = ""
    """As the source names the speaker: may identify a person."""
    start_ms: float = 0.0
    """The row is a cut of a longer recording that begins here, …"""
    length_ms: float | None = None
    """… and is this long; None to the end."""
    speech_end_ms: float | None = None
    """Where the source says that speech ends, ms from the beginning of the cut."""
    dialogue: str = ""
    turn: int | None = None
    """Which turn of the dialogue it is, counted from 0; None for a single recording."""
    columns: Mapping[str, Any] = field(default_factory=dict)
    """Everything the source says of the recording, by its own names."""


@dataclass(frozen=True, slots=True)
class Reader:
    """One form of corpus."""

    kind: str
    """Its name in `bench corpus import KIND`."""
    find: Callable[[Path], tuple[Path, ...]]
    """Files in a folder by which the form is recognised; empty if the folder has another form."""
    rows: Callable[[Path], Iterator[Row]]
    """The rows of one of these files, in its order. Raises `CorpusError` with file and line."""
    together: bool = False
    """Whether several such files in a folder make one corpus, rather than a choice of several."""


def text_columns(columns: Mapping[str, Any]) -> tuple[str, ...]:
    """Columns that could be what is said in a recording."""
    return tuple(name for name in TEXT_COLUMNS if name in columns)


def spoken_text(columns: Mapping[str, Any]) -> str | None:
    """What is said in a recording, if exactly one column can be it and has a text."""
    names = text_columns(columns)
    value = columns[names[0]] if len(names) == 1 else None
    return value.strip() or None if isinstance(value, str) else None
