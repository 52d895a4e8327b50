"""Manifests: one JSON object per line, one line per recording. See `ManifestLine` for the fields."""

from __future__ import annotations

import codecs
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from firstpacket.bench.codec import DecodeError, decode, encode
from firstpacket.bench.corpus.times import check_times
from firstpacket.bench.errors import CorpusError
from firstpacket.bench.paths import file_named, name_as_text
from firstpacket.bench.vocabulary import AnswerRule

MANIFEST = "manifest.jsonl"

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_LONGEST_ID = 200


@dataclass(frozen=True, slots=True)
class ManifestLine:
    """One recording in a manifest. Only `id` and `audio` are required; times are ms from the clip's start."""

    id: str
    audio: str
    """Path of the sound file, relative to the manifest and inside its folder."""
    text: str | None = None
    speech_start_ms: float | None = None
    speech_end_ms: float | None = None
    speech_end_source: Literal["annotated", "estimated"] = "annotated"
    speech_end_method: str = ""
    """How the end was found: by hand, forced alignment, a detector and its version, known from the TTS."""
    language: str = "en"
    voice: str = ""
    speaker_kind: Literal["", "human", "tts"] = ""
    licence: str = ""
    sha256: str = ""
    """Hash of the sound file; checked if given."""
    answers: tuple[str, ...] = ()
    condition: str = ""
    """Noise, room or codec that the recording went through."""
    split: str = ""
    dataset: str = ""
    """Where the recording came from, and in which revision."""
    revision: str = ""
    speaker: str = ""
    """Who speaks, as a name or a hash; apart from `voice`, the name of a synthetic voice."""
    category: str = ""
    dialogue: str = ""
    """The dialogue that the recording is a turn of; with `turn`, counted from 0."""
    turn: int | None = None
    answer_rule: AnswerRule | None = None
    """When a reply is one of the `answers`; `equals` if it is not given."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A recording of a source: its line, its file, and its location for error messages."""

    line: ManifestLine
    audio: Path
    where: str
    length_ms: float | None = None
    """How much of the file another tool's list says it takes."""


def read_manifest(path: Path) -> tuple[Entry, ...]:
    """All lines of a manifest, checked as far as possible without opening a recording.

    Raises `CorpusError` with file and line: bad JSON, unknown or missing fields, wrong types, duplicate ids, paths
    outside the manifest's folder, impossible times.
    """
    return entries(path.parent, _lines(path))


def write_manifest(path: Path, lines: Iterable[ManifestLine]) -> None:
    """Write a manifest; fields at their empty defaults are left out."""
    path.write_text("".join(json.dumps(encode(line), ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


def entries(folder: Path, lines: Iterable[tuple[str, ManifestLine]]) -> tuple[Entry, ...]:
    """Check (location, line) pairs, from any kind of source, and locate their files under `folder`."""
    seen: dict[str, str] = {}
    found = []
    for where, line in lines:
        _check_id(where, line.id)
        if line.id in seen:
            raise CorpusError(f"{where}: id '{line.id}' is already used at {seen[line.id]}. Ids must be unique.")
        seen[line.id] = where
        check_times(where, line.speech_start_ms, line.speech_end_ms)
        _check_answers(where, line)
        found.append(Entry(line, inside(folder, line.audio, where), where))
    _check_dialogues(found)
    return tuple(found)


def read_text(path: Path) -> str:
    """A file's text, UTF-8 with or without byte order mark. Raises `CorpusError`."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        wide = error.object.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        evidence = "it is UTF-16" if wide else f"{error.reason} at byte {error.start}"
        raise CorpusError(f"{path}: is not UTF-8 text ({evidence}). Save it as UTF-8.") from error
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror}). Check the path and its permissions.") from error


def parse_json(text: str, where: str) -> Any:
    """A JSON value without NaN and Infinity. Raises `CorpusError` with the location."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_object)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate is valid JSON but not valid text
        return value
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{where}: is not valid JSON ({error}). Correct the file.") from error


def json_lines(path: Path) -> Iterator[tuple[str, Any]]:
    """The values of a JSON Lines file, each with its location; blank lines are skipped. Raises `CorpusError`."""
    for number, text in enumerate(read_text(path).split("\n"), start=1):
        if text.strip():
            where = f"{path}:{number}"
            yield where, parse_json(text, where)


def _lines(path: Path) -> Iterator[tuple[str, ManifestLine]]:
    for where, value in json_lines(path):
        yield where, _decode_line(value, where)


def _decode_line(value: Any, where: str) -> ManifestLine:
    try:
        return decode(ManifestLine, value, where)
    except DecodeError as error:
        raise CorpusError(f"{error}. Correct the manifest.") from error
    except OverflowError as error:
        raise CorpusError(f"{where}: a number is too large. Correct the manifest.") from error


def name_as_id(name: str) -> str:
    """A recording's id from its file's name: text, with control characters written as `\\n`."""
    return _CONTROL.sub(lambda mark: mark[0].encode("unicode_escape").decode(), name_as_text(name))


def _check_id(where: str, name: str) -> None:
    if not name.strip() or len(name) > _LONGEST_ID or _CONTROL.search(name):
        raise CorpusError(
            f"{where}: id {name[:40]!r} is invalid. An id has 1 to {_LONGEST_ID} characters, and no control characters."
        )


def option_letter(answer: str) -> str:
    """The letter, in upper case, of an answer that names an option, such as "B" or "(b)"; empty for any other."""
    found = re.fullmatch(r"[\W_]*([A-Za-z])[\W_]*", answer)
    return found[1].upper() if found else ""


def _check_answers(where: str, line: ManifestLine) -> None:
    if line.answer_rule == "contains" and (letter := next(filter(option_letter, line.answers), None)):
        raise CorpusError(
            f"{where}: the answer {letter!r} is one letter, which nearly every reply contains. Use the rule 'choice'."
        )
    if line.answer_rule == "choice" and not all(map(option_letter, line.answers)):
        raise CorpusError(
            f"{where}: the rule 'choice' needs letters as answers, such as \"B\". Correct the answers or the rule."
        )


def _check_dialogues(found: Sequence[Entry]) -> None:
    """Every dialogue has its turns from 0 on, each once."""
    turns: dict[str, list[int]] = defaultdict(list)
    for entry in found:
        line = entry.line
        if (line.turn is None) != (not line.dialogue):
            raise CorpusError(f"{entry.where}: a turn of a dialogue needs both fields, dialogue and turn.")
        if line.turn is not None:
            turns[line.dialogue].append(line.turn)
    for name, numbers in turns.items():
        if sorted(numbers) != list(range(len(numbers))):
            where = next(entry.where for entry in found if entry.line.dialogue == name)
            raise CorpusError(
                f"{where}: dialogue '{name}' has the turns {', '.join(map(str, sorted(numbers)))}. Number the turns of"
                " a dialogue 0, 1, 2, …, each once."
            )


def inside(folder: Path, audio: str, where: str) -> Path:
    """The sound file that a line names, in `folder`. Raises `CorpusError` for a path that leads out of it."""
    relative = PurePosixPath(audio)
    if _URL.match(audio):
        raise CorpusError(f"{where}: {audio!r} is a URL. Download the recordings, and write their files' paths.")
    if not audio or "\0" in audio or relative.is_absolute() or ".." in relative.parts:
        raise CorpusError(
            f"{where}: audio path {audio!r} is not inside the manifest's folder. Use a relative path without '..', and"
            " move the file if needed."
        )
    return file_named(folder, str(relative))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of a key that occurs twice nobody knows which value is meant."""
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in value if names.count(name) > 1)
        raise ValueError(f"key {twice!r} occurs twice in one object")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
