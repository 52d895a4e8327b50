"""Groups runs, ordered by time, into series of comparable points, with the reasons why a new series begins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from firstpacket.bench.contract import computed
from firstpacket.bench.errors import RunError
from firstpacket.bench.history.folders import RunFolder, Skipped
from firstpacket.bench.history.mismatches import mismatches
from firstpacket.bench.metrics.definitions import Metric
from firstpacket.bench.record.schema import System
from firstpacket.bench.record.store import Run, read_run
from firstpacket.bench.stats.bootstrap import Estimate
from firstpacket.bench.summary.figures import figure
from firstpacket.bench.summary.microphone import invalid


@dataclass(frozen=True, slots=True)
class Point:
    """The median of one label in one run, in the metric's shown unit; `unanswered` measured turns have no value."""

    run: str
    folder: str
    when: datetime
    label: str
    median: Estimate
    unanswered: int


@dataclass(frozen=True, slots=True)
class Change:
    """`point` is the first run at the new level; levels are medians of the runs between changes."""

    point: Point
    before: float
    after: float

    @computed
    def ratio(self) -> float | None:
        """`after / before`; None unless both are above zero."""
        return self.after / self.before if self.before > 0 and self.after > 0 else None


@dataclass(frozen=True, slots=True)
class Series:
    """Comparable points of one system, and the changes among them, both ordered by time."""

    label: str
    machine: str
    points: tuple[Point, ...]
    differs_from_previous: tuple[str, ...] = ()
    """Differences from the system's latest run before them; empty for its first series."""
    changes: tuple[Change, ...] = ()


@dataclass(slots=True)
class _Growing:
    """A series that may still grow; only its last run is kept."""

    machine: str
    differs_from_previous: tuple[str, ...]
    last: Run
    points: list[Point] = field(default_factory=list)


def read_series(folders: Iterable[RunFolder], known: Metric) -> tuple[tuple[Series, ...], list[Skipped]]:
    """All series of a metric by label and first date, from runs ordered by time, and what was skipped."""
    labels: dict[str, list[_Growing]] = {}
    skipped: list[Skipped] = []
    for folder in folders:
        try:
            run = read_run(folder.path)
        except (RunError, OSError) as error:
            skipped.append(Skipped(folder.name, str(error)))
            continue
        if reasons := invalid(run):
            skipped.append(Skipped(folder.name, f"The run is invalid: {'; '.join(reasons)}."))
            continue
        for plan in run.manifest.labels:
            point = _point(run, folder, plan.label, known)
            if isinstance(point, Skipped):
                skipped.append(point)
            else:
                _join(labels.setdefault(plan.label, []), run, plan, point, known)
    found = [
        Series(label, each.machine, tuple(each.points), each.differs_from_previous)
        for label in sorted(labels)
        for each in labels[label]
    ]
    return tuple(found), skipped


def _point(run: Run, folder: RunFolder, label: str, known: Metric) -> Point | Skipped:
    found = figure(known, run.measured(label))
    if found.p50 is None:
        return Skipped(folder.name, f"{label} has no {known.title} in any of {found.n_missing} measured turns.")
    return Point(run.manifest.run, folder.name, folder.when, label, found.p50, found.n_missing)


def _join(growing: list[_Growing], run: Run, plan: System, point: Point, known: Metric) -> None:
    """Append a point to the latest comparable series, or begin a new one."""
    latest = sorted(growing, key=lambda each: each.points[-1].when, reverse=True)
    differences: list[tuple[str, ...]] = []
    for each in latest:
        reasons = mismatches(each.last, run, plan.label, known)
        if not reasons:
            each.last = run
            each.points.append(point)
            return
        differences.append(reasons)
    growing.append(_Growing(_machine(run, plan), differences[0] if differences else (), run, [point]))


def _machine(run: Run, plan: System) -> str:
    """The GPU that a label ran on, or the processor and how many of its cores were usable."""
    known = run.segments[0].environment if run.segments else {}
    if plan.device.startswith("cuda"):
        number = plan.device.partition(":")[2] or "0"
        return str(known.get(f"gpu{number}") or "unknown GPU")
    return f"{known.get('cpu') or 'unknown processor'}, {known.get('cores_usable') or '?'} cores"
