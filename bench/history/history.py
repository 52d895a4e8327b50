"""The history of a metric over a folder of runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from firstpacket.bench.compare.comparison import requested_metric
from firstpacket.bench.contract import Omitted, computed
from firstpacket.bench.errors import MissingDependency, RunError, UnknownName
from firstpacket.bench.history.changes import changes
from firstpacket.bench.history.folders import Skipped, run_folders
from firstpacket.bench.history.series import Series, read_series
from firstpacket.bench.metrics.definitions import HEADLINE, Metric
from firstpacket.bench.summary.contents import Unit
from firstpacket.bench.summary.values import shown_unit


@dataclass(frozen=True, slots=True)
class History:
    """The series of one metric, each with its changes."""

    definition: Omitted[Metric]
    series: tuple[Series, ...]
    skipped: tuple[Skipped, ...]
    not_searched: str = ""
    """Why change points were not searched; empty if they were."""

    @computed
    def metric(self) -> str:
        """Its name."""
        return self.definition.name

    @computed
    def title(self) -> str:
        """Its title for people."""
        return self.definition.title

    @computed
    def unit(self) -> Unit:
        """Of all values here."""
        return shown_unit(self.definition)


def history(folder: Path, metric: str = HEADLINE, label: str | None = None) -> History:
    """The history of one metric of all labels below `folder`, or of one.

    Raises `UnknownName` for an unknown metric or label, `RunError` if the folder holds no run with the metric.
    """
    known = requested_metric(metric)
    folders, unusable = run_folders(folder)
    found, without = read_series(folders, known)
    skipped = (*unusable, *without)
    if not found:
        why = "".join(f"\n  {each.name}: {each.reason}" for each in skipped)
        raise RunError(f"No run below {folder} has the metric '{metric}'. Create runs with `bench run`.{why}")
    labels = {each.label for each in found}
    if label is not None and label not in labels:
        raise UnknownName("label", label, labels)
    found = tuple(each for each in found if label in (None, each.label))
    try:
        return History(known, tuple(replace(each, changes=changes(each)) for each in found), skipped)
    except MissingDependency as error:
        return History(known, found, skipped, str(error))
