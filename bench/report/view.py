"""One run as its sections see it: its contents, and their places in its JSON."""

from __future__ import annotations

from dataclasses import dataclass

from firstpacket.bench.analysis.document import RunContents
from firstpacket.bench.summary.contents import LabelSummary
from firstpacket.bench.tables.table import JsonPath


@dataclass(frozen=True, slots=True)
class View:
    """`anchor` prefixes the ids of this run's elements, so that they are unique on the page."""

    contents: RunContents
    anchor: str

    @property
    def summaries(self) -> tuple[LabelSummary, ...]:
        """Every label's, in the order of the run."""
        return self.contents.summary.labels

    @property
    def labels(self) -> tuple[str, ...]:
        """In the order of the run."""
        return tuple(each.label for each in self.summaries)


def of_label(label: LabelSummary, *steps: str | int) -> JsonPath:
    """The place of a label's summary in the JSON of its run, plus these steps below it."""
    return ("summary", "labels", label.label, *steps)
