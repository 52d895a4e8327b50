"""One run as its sections see it: its contents, and their places in its JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from firstpacket.bench.analysis.document import RunContents
from firstpacket.bench.format import Unit
from firstpacket.bench.summary.contents import LabelSummary
from firstpacket.bench.tables.table import Cell, Column, JsonPath


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


def column(
    heading: str,
    make: Callable[..., Cell],
    unit: Unit,
    *steps: str,
    is_bad: Callable[[LabelSummary], bool] = lambda _: False,
    says: str = "",
    **how: bool,
) -> Column[LabelSummary]:
    """A column of what lies at these steps below a label's summary, both in the values and in their JSON.

    `make` is a function of `firstpacket.bench.tables.cells`, and `how` its further arguments.
    """

    def cell(label: LabelSummary) -> Cell:
        return make(reduce(_below, steps, label), unit, of_label(label, *steps), **how)

    return Column(heading, cell, is_bad, says=says)


def _below(value: Any, step: str) -> Any:
    """None below None, and for a name that a mapping does not have."""
    if value is None or isinstance(value, Mapping):
        return value.get(step) if value else None
    return getattr(value, step)
