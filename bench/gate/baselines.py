"""Baselines, saved in `.bench/baselines/NAME/`: a run folder without its traces and audio.

    manifest.json segments.jsonl turns.jsonl      as in the run
    traces.jsonl                                  empty: figures are kept, raw data is not
    baseline.json                                 when it was saved, and the conditions of every label

A few hundred kilobytes: small enough for a repository or the cache of a CI service.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from firstpacket.bench.codec import DecodeError, decode, encode
from firstpacket.bench.errors import RunError, UsageError
from firstpacket.bench.gate.fingerprint import Conditions, conditions, key
from firstpacket.bench.record.store import MANIFEST, SEGMENTS, TRACES, TURNS, Run, read_run
from firstpacket.bench.sanitize import LABEL

FOLDER = "FIRSTPACKET_BASELINES"
"""Environment variable that replaces the folder `.bench/baselines`."""
FILE = "baseline.json"
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Saved:
    """The content of `baseline.json`."""

    schema: int
    saved: str
    labels: dict[str, Conditions]
    turns: int | None = None
    """How many turns were saved: a file that was cut at the end of a line looks whole."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A run that was saved under a name."""

    name: str
    path: Path
    saved: str = ""
    labels: dict[str, Conditions] = field(default_factory=dict)
    problem: str = ""
    """Why it cannot be compared with, if it is damaged."""

    def run(self) -> Run:
        """Read it. Raises `RunError` if it is damaged."""
        if self.problem:
            raise RunError(f"The baseline '{self.name}' is damaged: {self.problem}")
        return read_run(self.path)


def folder() -> Path:
    """Where baselines are saved: `FIRSTPACKET_BASELINES`, else `.bench/baselines` in the current folder."""
    return Path(os.environ.get(FOLDER) or Path(".bench") / "baselines").expanduser()


def save(run: Run, name: str) -> Baseline:
    """Save a run under a name, replacing any baseline of that name. Raises `UsageError` or `RunError`."""
    if not _is_name(name):
        raise UsageError(f"Baseline name '{name}' is invalid: use 1 to 64 letters, digits or . _ + - .")
    labels = {plan.label: conditions(run, plan.label) for plan in run.manifest.labels if not plan.source}
    answered = {turn.label for turn in run.turns if turn.is_measured and turn.is_answered}
    if silent := sorted(labels.keys() - answered):
        raise RunError(f"{run.path} has no answered turn of {', '.join(silent)}, so it cannot serve as a baseline.")
    saved = Saved(SCHEMA, datetime.now(UTC).isoformat(timespec="seconds"), labels, len(run.turns))
    target = folder() / name
    making = target.with_name(f".{name}.{os.getpid()}")
    try:
        making.mkdir(parents=True)
        for file in (MANIFEST, SEGMENTS, TURNS):
            shutil.copyfile(run.path / file, making / file)
        (making / TRACES).touch()
        (making / FILE).write_text(json.dumps(encode(saved), indent=1) + "\n", "utf-8")
        shutil.rmtree(target, ignore_errors=True)
        making.rename(target)
    except OSError as error:
        shutil.rmtree(making, ignore_errors=True)
        raise RunError(
            f"The baseline cannot be saved in {folder()}: {error.strerror}. Free some space there."
        ) from error
    return Baseline(name, target, saved.saved, labels)


def kept() -> tuple[Baseline, ...]:
    """All baselines, newest first, and damaged ones at the end."""
    names = (path.name for path in folder().iterdir() if path.is_dir()) if folder().is_dir() else ()
    found = [_read(folder() / name) for name in names if _is_name(name)]
    return tuple(sorted(found, key=lambda each: (not each.problem, each.saved, each.name), reverse=True))


def named(name: str) -> Baseline | None:
    """The baseline of a name, damaged or not."""
    path = folder() / name
    return _read(path) if _is_name(name) and path.is_dir() else None


def newest(label: str, of: Conditions) -> tuple[Baseline | None, tuple[Baseline, ...]]:
    """The newest baseline of a label under the same conditions; and damaged ones that could have been it."""
    wanted = key(of)
    found = [each for each in kept() if not each.labels or key(each.labels.get(label, {})) == wanted]
    whole = next((each for each in found if not each.problem), None)
    return whole, tuple(each for each in found if each.problem)


def _is_name(name: str) -> bool:
    return bool(LABEL.fullmatch(name))


def _read(path: Path) -> Baseline:
    found = Baseline(path.name, path)
    try:
        saved = decode(Saved, json.loads((path / FILE).read_bytes()), FILE)
        if saved.schema != SCHEMA:
            return replace(found, problem=f"it has schema {saved.schema}, this version reads {SCHEMA}. {_REMEDY}")
        found = replace(found, saved=saved.saved, labels=saved.labels)
        return replace(found, problem=_problem(read_run(path), saved))
    except OSError as error:
        return replace(found, problem=f"{FILE} cannot be read ({error.strerror}). {_REMEDY}")
    except (ValueError, RecursionError, DecodeError) as error:
        return replace(found, problem=f"{FILE} cannot be read ({error}). {_REMEDY}")
    except RunError as error:
        return replace(found, problem=str(error))


def _problem(run: Run, saved: Saved) -> str:
    """What is missing from a baseline whose files can be read; empty if nothing is."""
    if run.notices or len(run.turns) != (len(run.turns) if saved.turns is None else saved.turns):
        of = "" if saved.turns is None else f" of {saved.turns}"
        return f"{TURNS} has been cut: it has {len(run.turns)}{of} turns. {_REMEDY}"
    answered = {turn.label for turn in run.turns if turn.is_measured and turn.is_answered}
    if silent := sorted(saved.labels.keys() - answered):
        return f"{TURNS} has no answered turn of {', '.join(silent)}. {_REMEDY}"
    return ""


_REMEDY = "Restore it from a copy, save it again, or remove its folder."
