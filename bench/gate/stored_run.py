"""One run of a baseline: a run folder without traces and audio, and `baseline.json` beside it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from firstpacket.bench.codec import DecodeError, decode, encode
from firstpacket.bench.compare.comparable import over_time, require_valid
from firstpacket.bench.errors import RunError
from firstpacket.bench.gate.fingerprint import Conditions, conditions, unlike, version
from firstpacket.bench.record.store import MANIFEST, SEGMENTS, TRACES, TURNS, Run, read_run

FILE = "baseline.json"
SCHEMA = 2


@dataclass(frozen=True, slots=True)
class Saved:
    """The content of `baseline.json`."""

    schema: int
    saved: str
    labels: dict[str, Conditions]
    version: Conditions = field(default_factory=dict)
    turns: int | None = None
    """How many turns were saved: a file that was cut at the end of a line looks whole."""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as it lies in the folder of a baseline."""

    path: Path
    saved: str = ""
    labels: dict[str, Conditions] = field(default_factory=dict)
    version: Conditions = field(default_factory=dict)
    problem: str = ""
    """Why it cannot be compared with, if it is damaged."""


def folder_name(run: Run) -> str:
    """When the run was made, and a hash: the same for the same run, however often it is saved or resumed."""
    first = [encode(run.manifest), *map(encode, run.segments[:1])]
    digest = hashlib.sha256(json.dumps(first, sort_keys=True).encode()).hexdigest()
    return f"{re.sub('[^0-9]', '', run.manifest.created)[:14]}-{digest[:8]}".lstrip("-")


def write(run: Run, folder: Path) -> None:
    """Write the run into a new folder. Raises `InvalidRun`, `RunError` if it cannot be compared with, or `OSError`."""
    require_valid(run)
    labels = {label: conditions(run, label) for label in _own(run)}
    if silent := sorted(labels.keys() - _answered(run)):
        raise RunError(f"{run.path} has no answered turn of {', '.join(silent)}, so it cannot serve as a baseline.")
    saved = Saved(SCHEMA, datetime.now(UTC).isoformat(timespec="seconds"), labels, version(run), len(run.turns))
    folder.mkdir(parents=True, exist_ok=True)
    for file in (MANIFEST, SEGMENTS, TURNS):
        shutil.copyfile(run.path / file, folder / file)
    (folder / TRACES).touch()
    (folder / FILE).write_text(json.dumps(encode(saved), indent=1) + "\n", "utf-8")


def read(folder: Path) -> StoredRun:
    """The run in a folder, damaged or not."""
    found = StoredRun(folder)
    try:
        raw = json.loads((folder / FILE).read_bytes())
        if (schema := _schema(raw)) != SCHEMA:
            return replace(found, problem=f"it has schema {schema}, this version reads {SCHEMA}. {_REMEDY}")
        saved = decode(Saved, raw, FILE)
        found = replace(found, saved=saved.saved, labels=saved.labels, version=saved.version)
        return replace(found, problem=_problem(read_run(folder), saved))
    except OSError as error:
        return replace(found, problem=f"{FILE} cannot be read ({error.strerror}). {_REMEDY}")
    except (ValueError, RecursionError, DecodeError) as error:
        return replace(found, problem=f"{FILE} cannot be read ({error}). {_REMEDY}")
    except RunError as error:
        return replace(found, problem=str(error))


def differences(base: Run, other: Run) -> tuple[str, ...]:
    """Why two runs do not belong to one baseline: another version, other systems, or other conditions."""
    before, after = (
        StoredRun(run.path, labels={label: conditions(run, label) for label in _own(run)}, version=version(run))
        for run in (base, other)
    )
    if reasons := stored_differences(before, after):
        return reasons
    return tuple(mismatch.reason for label in before.labels for mismatch in over_time(base, other, label))


def stored_differences(base: StoredRun, other: StoredRun) -> tuple[str, ...]:
    """As `differences`, as far as `baseline.json` tells."""
    if base.labels.keys() != other.labels.keys():
        return (f"systems ({', '.join(base.labels)} and {', '.join(other.labels)})",)
    found = [*unlike(base.version, other.version)]
    for label, before in base.labels.items():
        found += unlike(before, other.labels[label])
    return tuple(dict.fromkeys(found))


def _own(run: Run) -> list[str]:
    """The systems of this version, without those of another one that a gate measured concurrently."""
    return [plan.label for plan in run.manifest.labels if not plan.source]


def _answered(run: Run) -> set[str]:
    return {turn.label for turn in run.turns if turn.is_measured and turn.is_answered}


def _schema(raw: Any) -> Any:
    return raw.get("schema", SCHEMA) if isinstance(raw, dict) else SCHEMA


def _problem(run: Run, saved: Saved) -> str:
    """What is missing from a run whose files can be read; empty if nothing is."""
    if run.notices or len(run.turns) != (len(run.turns) if saved.turns is None else saved.turns):
        of = "" if saved.turns is None else f" of {saved.turns}"
        return f"{TURNS} has been cut: it has {len(run.turns)}{of} turns. {_REMEDY}"
    if silent := sorted(saved.labels.keys() - _answered(run)):
        return f"{TURNS} has no answered turn of {', '.join(silent)}. {_REMEDY}"
    return ""


_REMEDY = "Restore it from a copy, or remove its folder."
