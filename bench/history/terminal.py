"""A history for the terminal: a table per series."""

from __future__ import annotations

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from firstpacket.bench.history.history import History
from firstpacket.bench.history.words import HEADINGS, row, title
from firstpacket.bench.summary.values import shown_unit


def history_tables(found: History) -> Iterator[Table]:
    """One row per run."""
    for each in found.series:
        heading = Text(f"{found.metric.title}: {title(each)}")
        table = Table(title=heading, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        for name in HEADINGS:
            table.add_column(Text(name), justify="left" if name in HEADINGS[:2] else "right", no_wrap=name != "run")
        for point in each.points:
            table.add_row(*map(Text, row(point, shown_unit(found.metric))))
        yield table
