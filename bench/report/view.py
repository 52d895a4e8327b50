"""One run as its sections see it: what is said of it, and its JSON, out of which every figure is taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from firstpacket.bench.analysis.document import RunContents
from firstpacket.bench.contract import as_json
from firstpacket.bench.report.figures import Figures
from firstpacket.bench.tables.table import Place


@dataclass(frozen=True)
class View:
    """`anchor` sets the ids of this run's elements apart from those of others on the page."""

    contents: RunContents
    anchor: str

    @cached_property
    def document(self) -> dict[str, Any]:
        """The run's part of the report's JSON."""
        return dict(as_json(self.contents))

    @cached_property
    def figures(self) -> Figures:
        """Reads that JSON."""
        return Figures(self.document)

    @property
    def labels(self) -> tuple[str, ...]:
        """In the order of the run."""
        return tuple(label.label for label in self.contents.summary.labels)

    def metrics(self) -> tuple[str, ...]:
        """Every metric that any label has, in the order of the definitions."""
        return tuple(dict.fromkeys(name for label in self.contents.summary.labels for name in label.figures))

    def of_label(self, label: str) -> Place:
        """Where a label's summary stands."""
        return ("summary", "labels", label)

    def having(self, metric: str) -> Iterator[tuple[str, Place]]:
        """The labels that have a metric, and where it stands."""
        for label in self.contents.summary.labels:
            if metric in label.figures:
                yield label.label, (*self.of_label(label.label), "figures", metric)
