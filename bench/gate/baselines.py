"""Baselines, saved in `.bench/baselines/NAME/`: runs of one version under the same conditions.

    RUN/                                              one of them (`firstpacket.bench.gate.stored_run`)
        manifest.json segments.jsonl turns.jsonl      as in the run
        traces.jsonl                                  empty: figures are kept, raw data is not
        baseline.json                                 when it was saved, its version and the conditions of every label

A few hundred kilobytes each: small enough for a repository or the cache of a CI service. Several runs show how much
runs of the same code differ, which one cannot.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from firstpacket.bench.codec import DecodeError, decode
from firstpacket.bench.errors import NotComparable, RunError, UsageError, explained
from firstpacket.bench.gate import stored_run
from firstpacket.bench.gate.fingerprint import Conditions, key
from firstpacket.bench.gate.stored_run import FILE, Saved, StoredRun, differences, folder_name, stored_differences
from firstpacket.bench.record.store import Run, read_run
from firstpacket.bench.sanitize import LABEL

FOLDER = "FIRSTPACKET_BASELINES"
"""Environment variable that replaces the folder `.bench/baselines`."""
MOST_RUNS = 50
"""Kept under a name; more say hardly more about how much runs differ."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The runs that were saved under a name."""

    name: str
    path: Path
    stored: tuple[StoredRun, ...] = ()
    """Those saved last come first."""
    problem: str = ""
    """Why it cannot be compared with, if it is damaged."""
    outdated: bool = False
    """Whether an earlier version saved it, for which a baseline was one run."""

    @property
    def saved(self) -> str:
        """When its newest run was saved."""
        return self.stored[0].saved if self.stored else ""

    @property
    def labels(self) -> dict[str, Conditions]:
        """The conditions of every label; none if they are unknown."""
        return self.stored[0].labels if self.stored else {}

    def runs(self) -> tuple[Run, ...]:
        """Read them, newest first. Raises `NotComparable` if it is outdated, `RunError` if it is damaged."""
        if self.outdated:
            raise NotComparable(f"The baseline '{self.name}' {outdated(self.name)}")
        if self.problem:
            raise RunError(f"The baseline '{self.name}' is damaged: {self.problem}")
        return tuple(read_run(each.path) for each in self.stored)


def outdated(name: str, run: str = "RUN") -> str:
    """What to do about a baseline of an earlier version."""
    return (
        "was saved by an earlier version, for which a baseline was one run. "
        f"Make a new one: bench baseline save {run} --name {name} --replace"
    )


def folder() -> Path:
    """Where baselines are saved: `FIRSTPACKET_BASELINES`, else `.bench/baselines` in the current folder."""
    return Path(os.environ.get(FOLDER) or Path(".bench") / "baselines").expanduser()


def save(runs: Sequence[Run], name: str, replace: bool = False) -> Baseline:
    """Add runs to the baseline of a name, or replace it by them.

    A run that it has already is saved in place of the earlier copy. Only the newest `MOST_RUNS` are kept. Raises
    `UsageError` for the name, `NotComparable` or `InvalidRun` if a run does not belong to the others, `RunError`.
    """
    if not _is_name(name):
        raise UsageError(f"Baseline name '{name}' is invalid: use 1 to 64 letters, digits or . _ + - .")
    before = None if replace else named(name)
    earlier = before.runs() if before is not None and (before.stored or before.outdated) else ()
    _require_alike((*earlier, *runs)[0], runs, name)
    target = folder() / name
    making = target.with_name(f".{name}.{os.getpid()}")
    with explained(f"The baseline cannot be saved in {folder()}", "Free some space there."):
        try:
            for run in runs:
                stored_run.write(run, making / folder_name(run))
            if replace:
                _remove(target)
            target.mkdir(exist_ok=True)
            for made in making.iterdir():
                _remove(target / made.name)
                made.rename(target / made.name)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    for oldest in _read(target).stored[MOST_RUNS:]:
        _remove(oldest.path)
    return _read(target)


def kept() -> tuple[Baseline, ...]:
    """All baselines, newest first, and those that cannot be used at the end."""
    names = (path.name for path in folder().iterdir() if path.is_dir()) if folder().is_dir() else ()
    found = [_read(folder() / name) for name in names if _is_name(name)]
    return tuple(sorted(found, key=lambda each: (not each.problem, each.saved, each.name), reverse=True))


def named(name: str) -> Baseline | None:
    """The baseline of a name, damaged or not."""
    path = folder() / name
    return _read(path) if _is_name(name) and path.is_dir() else None


def newest(label: str, of: Conditions) -> tuple[Baseline | None, tuple[Baseline, ...]]:
    """The newest baseline of a label under the same conditions; and those that could have been it, but are damaged or
    outdated."""
    wanted = key(of)
    found = [each for each in kept() if not each.labels or key(each.labels.get(label, {})) == wanted]
    whole = next((each for each in found if not each.problem), None)
    return whole, tuple(each for each in found if each.problem)


def _require_alike(base: Run, runs: Sequence[Run], name: str) -> None:
    """Raises `NotComparable` unless all runs are of the version of `base` and under the same conditions."""
    for run in runs:
        if run is not base and (reasons := differences(base, run)):
            raise NotComparable(
                f"{base.path} and {run.path} differ: {'; '.join(reasons)}. The runs of a baseline must be of one "
                "version and under the same conditions; otherwise changes would count as noise. Choose another "
                f"--name, or start '{name}' anew with --replace."
            )


def _is_name(name: str) -> bool:
    return bool(LABEL.fullmatch(name))


def _remove(path: Path) -> None:
    """Remove a folder, or the link to one."""
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def _read(path: Path) -> Baseline:
    if (path / FILE).exists():
        return Baseline(path.name, path, (_of_earlier_version(path),), outdated(path.name), outdated=True)
    try:
        folders = [each for each in path.iterdir() if _is_name(each.name) and each.is_dir()]
    except OSError as error:
        return Baseline(path.name, path, (), f"its folder cannot be read ({error.strerror}).")
    runs = sorted(map(stored_run.read, folders), key=lambda run: (run.saved, run.path.name), reverse=True)
    return Baseline(path.name, path, tuple(runs), _problem(runs))


def _problem(runs: Sequence[StoredRun]) -> str:
    """What is wrong with the runs of a baseline; empty if nothing is."""
    if not runs:
        return "it has no runs. Save one, or remove its folder."
    for run in runs:
        if run.problem:
            return f"{run.path.name}: {run.problem}"
        if reasons := stored_differences(runs[0], run):
            return (
                f"its runs {runs[0].path.name} and {run.path.name} differ: {'; '.join(reasons)}. Remove those that do "
                "not belong to it."
            )
    return ""


def _of_earlier_version(path: Path) -> StoredRun:
    """What is known of the one run of a baseline of schema 1."""
    try:
        saved = decode(Saved, json.loads((path / FILE).read_bytes()), FILE)
    except (OSError, ValueError, RecursionError, DecodeError):
        return StoredRun(path)
    return StoredRun(path, saved.saved, saved.labels)
