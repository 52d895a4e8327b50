"""The append-only store of a run, and its reader.

A turn is on disk before the next one begins: first its evidence, then one narrow line that commits it. A kill at any
time leaves at most an incomplete last line, which is detected and moved aside when the run is opened again.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import json
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from firstpacket.bench.codec import DecodeError, decode, encode
from firstpacket.bench.errors import RunError, UnknownName, explained
from firstpacket.bench.record import migrate
from firstpacket.bench.record.rules import LimitReached
from firstpacket.bench.record.schema import SCHEMA, Evidence, Manifest, Segment, System, Turn
from firstpacket.bench.sanitize import LABEL, clean

T = TypeVar("T")
MANIFEST, SEGMENTS, TRACES, TURNS, LOCK = "manifest.json", "segments.jsonl", "traces.jsonl", "turns.jsonl", "lock"
LIMIT = "limit.json"


@dataclass(frozen=True, slots=True)
class Run:
    """A run as read from its folder."""

    path: Path
    manifest: Manifest
    segments: tuple[Segment, ...]
    turns: tuple[Turn, ...]
    notices: tuple[str, ...] = ()
    schema: int = SCHEMA
    """The schema of the folder; the values read are migrated to this version's (`bench.record.migrate`)."""
    limit: LimitReached | None = None
    """The limit that ended it, if one did."""

    @property
    def labels(self) -> tuple[str, ...]:
        """In the order of the manifest."""
        return tuple(plan.label for plan in self.manifest.labels)

    def plan(self, label: str) -> System:
        """The system of a label. Raises `UnknownName` if the run has no such label."""
        if label not in self.labels:
            raise UnknownName("label", label, self.labels, f"The run is '{self.manifest.run}'.")
        return next(plan for plan in self.manifest.labels if plan.label == label)

    def measured(self, label: str | None = None) -> list[Turn]:
        """The turns of phase `measured`, in the order of the record: of one label, or of all."""
        return [turn for turn in self.turns if turn.is_measured and label in (None, turn.label)]

    def evidence(self, turn: Turn) -> Evidence:
        """The raw evidence of a turn. Raises `RunError` if it is damaged."""
        line = self._evidence_line(turn)
        if len(line) != turn.evidence_bytes or zlib.crc32(line) != turn.evidence_crc32:
            problem = "damaged (its checksum differs)" if line else "missing (baselines have no traces) or damaged"
            raise RunError(
                f"The trace of turn {turn.turn} in {self.path / TRACES} is {problem}. "
                "The turn's figures in turns.jsonl remain valid; the trace cannot be used."
            )
        where = f"{self.path / TRACES}, turn {turn.turn}"
        evidence = _decoded(Evidence, migrate.upgraded("evidence", _parse(line, where), self.schema), where)
        return replace(evidence, options=self.manifest.options)

    def _evidence_line(self, turn: Turn) -> bytes:
        """The bytes that the turn points at; empty if the file is too short."""
        with explained(f"Cannot read {self.path / TRACES}"), (self.path / TRACES).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if not 0 <= turn.evidence_at <= turn.evidence_at + turn.evidence_bytes <= size:
                return b""
            file.seek(turn.evidence_at)
            return file.read(turn.evidence_bytes)


def read_run(path: Path) -> Run:
    """Read a run folder from its narrow lines. Raises `RunError` if it is no run, too new, or damaged."""
    manifest, schema = _read_manifest(path)
    for name in (TRACES, TURNS):
        if not (path / name).is_file():
            raise RunError(f"{path / name} is missing: the run folder is damaged. Restore it from a copy.")
    segments, _ = read_lines(path / SEGMENTS, Segment, lambda raw: migrate.upgraded("segment", raw, schema))
    turns, torn = read_lines(path / TURNS, Turn, lambda raw: migrate.upgraded("turn", raw, schema))
    known = {plan.label for plan in manifest.labels}
    seen: set[int] = set()
    for turn in turns:
        if turn.label not in known or turn.turn in seen:
            raise RunError(
                f"{path / TURNS}: turn {turn.turn} of label '{turn.label}' is duplicated or its label is unknown. "
                "The run folder is damaged."
            )
        seen.add(turn.turn)
    notices = ("The last line of turns.jsonl is incomplete: the turn in flight when the run stopped is not counted.",)
    return Run(path, manifest, segments, turns, notices if torn else (), schema, _read_limit(path / LIMIT))


def _read_limit(file: Path) -> LimitReached | None:
    try:
        return decode(LimitReached, _parse(file.read_bytes(), str(file)), file.name)
    except FileNotFoundError:
        return None
    except (OSError, DecodeError) as error:
        raise RunError(f"{file} cannot be read: {error}. The run folder is damaged.") from error


def in_use(path: Path) -> bool:
    """Whether a manager is running on the run folder. Raises `RunError` if the lock cannot be read."""
    try:
        with (path / LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError) as error:
        return isinstance(error, BlockingIOError)
    except OSError as error:
        raise RunError(f"Cannot read {path / LOCK}: {error.strerror}.") from error
    return False


def read_manifest(path: Path) -> Manifest:
    """Read a run's manifest, of any supported schema. Raises `RunError`."""
    return _read_manifest(path)[0]


def require_resumable(path: Path) -> Manifest:
    """The manifest of a run that this version can resume. Raises `RunError` for one of another schema, and a copy."""
    manifest, schema = _read_manifest(path)
    if schema != SCHEMA:
        raise RunError(
            f"{path} has schema {schema}; only runs of schema {SCHEMA} can be resumed. It can be shown, compared and "
            "reported as it is; to measure more, start a new run."
        )
    if manifest.redacted:
        raise RunError(f"{path} is a redacted copy, which cannot be resumed. Resume the run that it is a copy of.")
    return manifest


def _read_manifest(path: Path) -> tuple[Manifest, int]:
    """A run's manifest, and the schema that it was written in."""
    file = path / MANIFEST
    try:
        content = file.read_bytes()
    except OSError as error:
        raise RunError(
            f"{path} is not a run folder: {MANIFEST} cannot be read ({error.strerror}). "
            "Run folders are created by `bench run`."
        ) from error
    raw = _parse(content, str(file))
    schema = raw.get("schema") if isinstance(raw, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise RunError(
            f"{path} was written by a newer version (schema {schema}; this version reads up to {SCHEMA}). "
            "Upgrade firstpacket to read it."
        )
    if type(schema) is not int or schema < migrate.OLDEST:
        raise RunError(f"{file}: 'schema' must be a whole number from {migrate.OLDEST} on. The run folder is damaged.")
    manifest = _decoded(Manifest, migrate.upgraded("manifest", raw, schema), str(file))
    for plan in manifest.labels:
        if not LABEL.fullmatch(plan.label):
            raise RunError(f"{file}: invalid label '{plan.label[:80]}'. The run folder is damaged.")
    if manifest.stopping_rule is not None and not (manifest.stopping_rule.possible and manifest.utterances):
        raise RunError(f"{file}: invalid stopping rule: {manifest.stopping_rule!r}. The run folder is damaged.")
    return manifest, schema


class RunWriter:
    """Appends to one run folder, which it keeps locked. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: BinaryIO | None = None
        self._files: list[FileIO] = []

    @classmethod
    def create(cls, path: Path, manifest: Manifest) -> RunWriter:
        """Create a new run folder. Raises `RunError` if it exists already or cannot be written."""
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            raise RunError(
                f"{path} exists already. Choose another --out. If it is a stopped run, continue it with: "
                f"bench run --resume {path}"
            ) from None
        except OSError as error:
            raise RunError(
                f"Cannot create the run folder {path}: {error.strerror}. Choose another folder with --out."
            ) from error
        writer = cls(path)
        writer._open()
        text = json.dumps(encode(manifest), indent=1, ensure_ascii=False) + "\n"
        writer._replace(MANIFEST, text.encode("utf-8", "backslashreplace"))  # a lone surrogate as JSON escapes it
        return writer

    @classmethod
    def resume(cls, path: Path) -> RunWriter:
        """Open an existing run to resume it; incomplete last lines are moved to `NAME.torn`. Raises `RunError`."""
        read_manifest(path)
        writer = cls(path)
        writer._open()
        for name in (SEGMENTS, TRACES, TURNS):
            writer._set_torn_line_aside(name)
        return writer

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all files and release the lock."""
        for file in self._files:
            with contextlib.suppress(OSError):
                file.close()
        self._files = []
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def segment(self, segment: Segment) -> None:
        """Append a segment: the run goes on, whatever limit had ended it."""
        with explained(f"Cannot remove {self.path / LIMIT}"):
            (self.path / LIMIT).unlink(missing_ok=True)
        self._append(self._segments, to_line(segment))

    def limit(self, reached: LimitReached) -> None:
        """Write which limit ended the run."""
        self._replace(LIMIT, json.dumps(encode(reached), indent=1).encode() + b"\n")

    def evidence(self, evidence: Evidence) -> tuple[int, int, int]:
        """Append a turn's evidence; returns its location: (offset, bytes, CRC-32 of its line)."""
        raw = encode(evidence)
        del raw["options"]  # the manifest has them
        line = to_line(raw)
        at = self._append(self._traces, line)
        return at, len(line), zlib.crc32(line)

    def turn(self, turn: Turn) -> None:
        """Append the narrow line that commits a turn."""
        self._append(self._turns, to_line(turn))

    def _open(self) -> None:
        try:
            self._lock = (self.path / LOCK).open("ab")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._segments, self._traces, self._turns = (
                (self.path / name).open("ab", buffering=0) for name in (SEGMENTS, TRACES, TURNS)
            )
            self._files = [self._segments, self._traces, self._turns]
        except BlockingIOError as error:
            self.close()
            raise RunError(
                f"{self.path} is in use by another bench process. Wait for it, or choose another --out."
            ) from error
        except OSError as error:
            self.close()
            raise RunError(
                f"Cannot write to {self.path}: {error.strerror}. Choose another place with --out."
            ) from error

    def _append(self, file: FileIO, line: bytes) -> int:
        kept = "Everything up to the last finished turn is kept; free some space and resume with:"
        with explained(f"Cannot write to {self.path}", f"{kept} bench run --resume {self.path}"):
            return append(file, line)

    def _replace(self, name: str, content: bytes) -> None:
        temporary = self.path / (name + ".tmp")
        with explained(f"Cannot write {self.path / name}", "Choose another place with --out."):
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path / name)

    def _set_torn_line_aside(self, name: str) -> None:
        file = self.path / name
        if not file.exists():
            return
        if not file.is_file():
            raise RunError(f"{file} is not a file: the run folder is damaged.")
        with explained(f"Cannot move the incomplete last line of {file} aside", "Free some space first."):
            content = file.read_bytes()
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                (self.path / (name + ".torn")).write_bytes(content[whole:])
                os.truncate(file, whole)


def append(file: FileIO, line: bytes) -> int:
    """Append a line to a file, flush it to disk, and return its offset.

    Raises `OSError`. A partly written line is then removed again, so that the file ends in a complete one; if that
    fails too, the next opening does it.
    """
    at = file.seek(0, os.SEEK_END)
    try:
        left = memoryview(line)
        while left:
            left = left[file.write(left) :]
        os.fsync(file.fileno())
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(file.fileno(), at)
        raise
    return at


def to_line(value: Any) -> bytes:
    """One line of JSON, ASCII only, so that no character in a text can break a line."""
    return json.dumps(encode(value), separators=(",", ":"), allow_nan=False).encode() + b"\n"


def read_lines(
    file: Path, kind: type[T], upgrade: Callable[[Any], Any] = lambda raw: raw
) -> tuple[tuple[T, ...], bool]:
    """All complete lines of a file, each through `upgrade`, and whether an incomplete one follows."""
    if not file.exists():
        return (), False
    lines = list(_lines(file))
    torn = bool(lines) and not lines[-1].endswith(b"\n")
    whole = lines[:-1] if torn else lines
    with _without_collecting():
        places = (f"{file}, line {number}" for number in range(1, len(whole) + 1))
        return tuple(
            [_decoded(kind, upgrade(_parse(line, where)), where) for line, where in zip(whole, places, strict=True)]
        ), torn


@contextlib.contextmanager
def _without_collecting() -> Iterator[None]:
    """Records have no cycles, and searching for some takes a quarter of the time to read many."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _lines(file: Path) -> Iterator[bytes]:
    with explained(f"Cannot read {file}"), file.open("rb") as handle:
        yield from handle


def _parse(content: bytes, where: str) -> Any:
    try:
        raw = json.loads(content)
        # Texts were cleaned when they were written, but the file may have been tampered with.
        return raw if content.isascii() and b"\\u" not in content else _cleaned(raw)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{where}: this is not valid JSON ({error}). The run folder is damaged.") from error


def _cleaned(raw: Any) -> Any:
    """JSON values without control characters, which must not reach a terminal or file."""
    if isinstance(raw, str):
        return clean(raw)
    if isinstance(raw, list):
        return [_cleaned(item) for item in raw]
    if isinstance(raw, dict):
        return {clean(key): _cleaned(item) for key, item in raw.items()}
    return raw


def _decoded(kind: type[T], raw: Any, where: str) -> T:
    try:
        return decode(kind, raw, where)
    except DecodeError as error:
        raise RunError(f"{error}. The run folder is damaged or was not written by firstpacket.") from error
