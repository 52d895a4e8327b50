"""Parquet files as Hugging Face's libraries write them: sound in a column of structs `bytes`, `path`.

Texts are read first, a row group at a time; sound only when a row is asked for it, in batches, so that a row group need
not fit into memory. A row with several columns of sound (`audio1`, `audio2`; `user_turn_1_audio`, …) is a dialogue.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from pathlib import Path, PurePosixPath
from typing import Any

from firstpacket.bench.corpus.containers.errors import no_file
from firstpacket.bench.corpus.manifest import inside
from firstpacket.bench.corpus.readers.audiofolder import FILE_NAME
from firstpacket.bench.corpus.readers.row import NoSound, Reader, Row, spoken_text
from firstpacket.bench.errors import CorpusError, MissingDependency, install_command

SUFFIX = ".parquet"
IDS = ("id", "question_id", "key", "uid")
"""Names under which data sets keep what identifies a row."""
NOT_IN_FILE = "null bytes, only a path"
NOTHING = "no sound"

_BATCH = 8
_BUFFER_BYTES = 1 << 20
_TURN = re.compile(r"user_turn_(\d+)_audio|audio_?(\d+)")
_LFS = b"version https://git-lfs"


def rows(path: Path) -> Iterator[Row]:
    """One row per recording, in the file's order; sound is read when it is asked for, best in that order.

    Raises `CorpusError` with the file, `MissingDependency` without pyarrow.
    """
    file = _open(path)
    names = _sound_columns(file.schema_arrow)
    turns = _turn_columns(names)
    if not names and FILE_NAME not in file.schema_arrow.names:
        raise CorpusError(
            f"{path}: has no column of sound. Its columns are {', '.join(file.schema_arrow.names)}; sound is a column"
            " of structs with bytes and path, or a column 'file_name' that names files."
        )
    if len(names) > 1 and not turns and "audio" not in names:
        raise CorpusError(
            f"{path}: has several columns of sound: {', '.join(names)}. Keep one, or rename it to 'audio'."
        )
    stamp = path.stat().st_mtime_ns
    for number, columns in enumerate(_texts(path, file, names)):
        place = _Place(path, stamp, number)
        if turns:
            yield from _dialogue(place, columns, turns)
        elif names:
            yield _single(place, columns, "audio" if "audio" in names else names[0])
        else:
            yield _named(place, columns)


def natural(path: Path) -> tuple[Any, ...]:
    """A key that sorts names by the numbers in them: shard 10 comes after shard 9."""
    return tuple(
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", path.as_posix()) if part
    )


@dataclass(frozen=True, slots=True)
class _Cell:
    """What is known of a sound before it is read."""

    path: str
    is_null: bool


@dataclass(frozen=True, slots=True)
class _Place:
    """A row of a file; `stamp` tells the file from a later one of its name."""

    path: Path
    stamp: int
    row: int

    def __str__(self) -> str:
        return f"{self.path}, row {self.row}"

    def sound(self, column: str, cell: _Cell) -> Callable[[], bytes]:
        """What reads the sound of a column."""
        return partial(_content, self, column, cell)


class _Sounds:
    """One column's sound: rows asked for in ascending order are decoded once."""

    def __init__(self, path: Path, file: Any, name: str) -> None:
        self._path, self._file = path, file
        self._column = f"{name}.bytes" if _is_struct(file.schema_arrow.field(name)) else name
        self._batches: Iterator[Any] = iter(())
        self._batch: Any = None
        self._first = self._end = 0
        """Rows that the current batch begins with, and that the current row group ends before."""

    def read(self, row: int) -> bytes | None:
        """The content of the row's sound file; None if the row has none."""
        if self._batch is None or not self._first <= row < self._end:
            self._begin(row)
        try:
            while row >= self._first + len(self._batch):
                self._first += len(self._batch)
                self._batch = next(self._batches)
        except Exception as error:  # pyarrow's errors have no common class below this one
            raise _damaged(self._path, error) from error
        value = self._batch.column(0)[row - self._first].as_py()
        content = value.get("bytes") if isinstance(value, dict) else value
        return content if isinstance(content, bytes) else None

    def _begin(self, row: int) -> None:
        start = 0
        for group in range(self._file.num_row_groups):
            end = start + self._file.metadata.row_group(group).num_rows
            if row < end:
                break
            start = end
        self._batches = self._file.iter_batches(_BATCH, row_groups=[group], columns=[self._column])
        self._first, self._end, self._batch = start, end, ()


def _open(path: Path) -> Any:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise MissingDependency(
            f"Parquet needs pyarrow, which is not installed. Install it with: {install_command('parquet')}"
        ) from error
    if not path.is_file():
        raise no_file(path)
    with path.open("rb") as head:
        if head.read(len(_LFS)) == _LFS:
            raise CorpusError(f"{path}: is a Git LFS pointer, not the file. Fetch the file with: git lfs pull")
    try:
        return parquet.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False)
    except Exception as error:  # pyarrow's errors have no common class below this one
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> CorpusError:
    return CorpusError(f"{path}: is not a Parquet file, or is damaged ({error}). Download it again.")


def _texts(path: Path, file: Any, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Every row's columns; of sound only what is known without reading it, as `_Cell`."""
    schema = file.schema_arrow
    wanted = [field.name for field in schema if field.name not in names and _is_plain(field.type)]
    wanted += [f"{name}.path" for name in names if _is_struct(schema.field(name))]
    for group in range(file.num_row_groups):
        try:
            table = file.read_row_group(group, columns=wanted)
            records = table.to_pylist() if wanted else [{}] * file.metadata.row_group(group).num_rows
        except Exception as error:  # as above
            raise _damaged(path, error) from error
        for columns in records:
            yield {name: _cell(value) if name in names else value for name, value in columns.items()}


def _is_plain(kind: Any) -> bool:
    """Whether a column holds texts, numbers or lists of texts: pictures and embeddings are not read."""
    from pyarrow import types

    def is_text(each: Any) -> bool:
        return bool(types.is_string(each) or types.is_large_string(each) or types.is_string_view(each))

    if types.is_list(kind) or types.is_large_list(kind) or types.is_dictionary(kind):
        return is_text(kind.value_type)
    return bool(types.is_primitive(kind)) or is_text(kind)


def _cell(value: Any) -> _Cell:
    return _Cell(str((value or {}).get("path") or ""), value is None)


def _is_struct(field: Any) -> bool:
    return hasattr(field.type, "fields") and {"bytes", "path"} <= {each.name for each in field.type.fields}


def _sound_columns(schema: Any) -> tuple[str, ...]:
    """Columns of sound: as the data set's features say, which tell sound from pictures, else by their form."""
    features = _features(schema)
    typed = tuple(name for name in schema.names if features.get(name) == "Audio")
    return typed or tuple(field.name for field in schema if _is_struct(field) and field.name not in features)


def _features(schema: Any) -> dict[str, str]:
    """Types of features by column, as the key `huggingface` of the schema has them; empty without it."""
    try:
        known = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return {name: str(feature["_type"]) for name, feature in known.items() if "_type" in feature}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _turn_columns(names: Sequence[str]) -> tuple[str, ...]:
    """The columns of sound of a dialogue's turns, in order; empty if rows are single recordings."""
    numbered = {name: match for name in names if (match := _TURN.fullmatch(name))}
    return tuple(sorted(numbered, key=lambda name: int(numbered[name][1] or numbered[name][2])))


def _single(place: _Place, columns: Mapping[str, Any], name: str) -> Row:
    cell = columns.get(name, _Cell("", False))
    return Row(
        where=str(place),
        id=_id(columns) or PurePosixPath(cell.path.replace("\\", "/")).stem,
        sound=place.sound(name, cell),
        text=spoken_text(columns),
        columns=_plain(columns),
    )


def _named(place: _Place, columns: Mapping[str, Any]) -> Row:
    """A row of a metadata.parquet, whose sound is a file."""
    name = str(columns.get(FILE_NAME) or "").replace("\\", "/")
    return Row(
        where=str(place),
        id=_id(columns) or PurePosixPath(name).with_suffix("").as_posix(),
        sound=inside(place.path.parent, name, str(place)),
        text=spoken_text(columns),
        columns=_plain(columns),
    )


def _dialogue(place: _Place, columns: Mapping[str, Any], turns: Sequence[str]) -> Iterator[Row]:
    """The turns up to the first that is null."""
    name = _id(columns) or f"{place.row:06d}"
    texts = [_turn_text(columns, turn, number) for number, turn in enumerate(turns)]
    for number, turn in enumerate(turns):
        cell = columns.get(turn, _Cell("", False))
        if cell.is_null or (texts[number] is None and any(texts) and not cell.path):
            return
        yield Row(
            where=f"{place}, {turn}",
            id=f"{name}-{number}",
            sound=place.sound(turn, cell),
            text=texts[number],
            dialogue=name,
            turn=number,
            columns=_plain(columns),
        )


def _turn_text(columns: Mapping[str, Any], turn: str, number: int) -> str | None:
    text = columns.get(turn.replace("_audio", "_transcript")) if turn.startswith("user_") else None
    listed = columns.get("turns")
    if text is None and isinstance(listed, list) and number < len(listed):
        text = listed[number]
    return text.strip() or None if isinstance(text, str) else None


def _content(place: _Place, column: str, cell: _Cell) -> bytes:
    """The content of a row's sound file. Raises `NoSound`."""
    content = _columns(place.path, place.stamp)(column).read(place.row)
    if not content:
        raise NoSound(NOT_IN_FILE if cell.path else NOTHING)
    return content


@lru_cache(maxsize=1)  # rows are read file by file, and a file that is open holds on to its last row group
def _columns(path: Path, stamp: int) -> Callable[[str], _Sounds]:
    """The file's columns of sound by name."""
    return cache(partial(_Sounds, path, _open(path)))


def _id(columns: Mapping[str, Any]) -> str:
    return next((str(columns[name]) for name in IDS if columns.get(name) is not None), "")


def _plain(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in columns.items() if not isinstance(value, _Cell)}


def _find(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(folder.rglob(f"*{SUFFIX}"), key=natural))


READER = Reader("parquet", _find, rows)
