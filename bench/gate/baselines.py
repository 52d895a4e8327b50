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
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Baseline:
    """A run that was saved under a name."""

    name: str
    path: Path
    saved: str
    labels: dict[str, Conditions]

    def run(self) -> Run:
        """Read it. Raises `RunError`."""
        return read_run(self.path)


def folder() -> Path:
    """Where baselines are saved: `FIRSTPACKET_BASELINES`, else `.bench/baselines` in the current folder."""
    return Path(os.environ.get(FOLDER) or Path(".bench") / "baselines").expanduser()


def save(run: Run, name: str) -> Baseline:
    """Save a run under a name, replacing any baseline of that name. Raises `UsageError` or `RunError`."""
    if not LABEL.fullmatch(name):
        raise UsageError(f"Baseline name '{name}' is invalid: use 1 to 64 letters, digits or . _ + - .")
    labels = {plan.label: conditions(run, plan.label) for plan in run.manifest.labels if not plan.source}
    answered = {turn.label for turn in run.turns if turn.is_measured and turn.is_answered}
    if silent := sorted(labels.keys() - answered):
        raise RunError(f"{run.path} has no answered turn of {', '.join(silent)}, so it cannot serve as a baseline.")
    saved = Saved(SCHEMA, datetime.now(UTC).isoformat(timespec="seconds"), labels)
    target = folder() / name
    making = target.with_name(f".{name}.{os.getpid()}")
    try:
        making.mkdir(parents=True)
        for file in (MANIFEST, SEGMENTS, TURNS):
            shutil.copyfile(run.path / file, making / file)
        (making / TRACES).touch()
        (making / FILE).write_text(json.dumps(encode(saved), indent=1) + "\n")
        shutil.rmtree(target, ignore_errors=True)
        making.rename(target)
    except OSError as error:
        shutil.rmtree(making, ignore_errors=True)
        raise RunError(
            f"The baseline cannot be saved in {folder()}: {error.strerror}. Free some space there."
        ) from error
    return Baseline(name, target, saved.saved, labels)


def kept() -> tuple[Baseline, ...]:
    """All baselines, newest first. Raises `RunError` for a damaged one."""
    found = [_read(path.parent) for path in folder().glob(f"[!.]*/{FILE}")]
    return tuple(sorted(found, key=lambda each: (each.saved, each.name), reverse=True))


def named(name: str) -> Baseline | None:
    """The baseline of a name."""
    return next((each for each in kept() if each.name == name), None)


def newest(label: str, of: Conditions) -> Baseline | None:
    """The newest baseline of a label under the same conditions."""
    wanted = key(of)
    return next((each for each in kept() if label in each.labels and key(each.labels[label]) == wanted), None)


def _read(path: Path) -> Baseline:
    try:
        saved = decode(Saved, json.loads((path / FILE).read_bytes()), FILE)
    except (OSError, ValueError, RecursionError, DecodeError) as error:
        raise RunError(f"{path / FILE} cannot be read ({error}). Save the baseline again, or remove it.") from error
    if saved.schema != SCHEMA:
        raise RunError(f"{path} has schema {saved.schema}, this version reads {SCHEMA}. Save the baseline again.")
    return Baseline(path.name, path, saved.saved, saved.labels)
