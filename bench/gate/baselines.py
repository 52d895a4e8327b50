"""Runs kept to hold later ones against: `.bench/baselines/NAME/`, a run folder without its traces and replies.

    manifest.json segments.jsonl turns.jsonl      as in the run
    traces.jsonl                                  empty: the figures are kept, not what they were derived from
    baseline.json                                 when it was kept, and the conditions of every label

Some hundred kilobytes: small enough for a repository or the cache of a CI service.
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
"""Environment variable that names another folder than `.bench/baselines`."""
FILE = "baseline.json"
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Saved:
    """What stands in `baseline.json`."""

    schema: int
    saved: str
    labels: dict[str, Conditions]


@dataclass(frozen=True, slots=True)
class Baseline:
    """A run that was kept under a name."""

    name: str
    path: Path
    saved: str
    labels: dict[str, Conditions]

    def run(self) -> Run:
        """Read it. Raises `RunError`."""
        return read_run(self.path)


def folder() -> Path:
    """Where baselines are kept: `FIRSTPACKET_BASELINES`, else `.bench/baselines` in the current folder."""
    return Path(os.environ.get(FOLDER) or Path(".bench") / "baselines").expanduser()


def save(run: Run, name: str) -> Baseline:
    """Keep a run under a name; one of the same name is replaced. Raises `UsageError` or `RunError`."""
    if not LABEL.fullmatch(name):
        raise UsageError(f"'{name}' cannot name a baseline: use 1 to 64 letters, digits or . _ + - .")
    labels = {plan.label: conditions(run, plan.label) for plan in run.manifest.labels if not plan.source}
    answered = {turn.label for turn in run.turns if turn.is_measured and turn.is_answered}
    if silent := sorted(labels.keys() - answered):
        raise RunError(f"{run.path} has no answered turn of {', '.join(silent)}: nothing could be held against it.")
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
        raise RunError(f"The baseline cannot be kept in {folder()}: {error.strerror}. Make room there.") from error
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
