"""A history as tables: one per series, a row per run."""

from __future__ import annotations

from collections.abc import Iterator

from firstpacket.bench.history.history import History
from firstpacket.bench.history.sentences import date
from firstpacket.bench.history.series import Point
from firstpacket.bench.tables.cells import estimate, single
from firstpacket.bench.tables.table import Column, Table, rows, table, words


def history_tables(found: History) -> Iterator[Table]:
    """In the order of the series."""
    unit = found.unit
    columns: tuple[Column[Point], ...] = (
        words("date", lambda point: date(point.when)),
        words("run", lambda point: point.run),
        Column("median [95 % CI]", lambda point: estimate(point.median, unit)),
        Column("turns", lambda point: single(point.median.n, "count")),
        Column("unanswered", lambda point: single(point.unanswered, "count"), lambda point: point.unanswered > 0),
    )
    for each in found.series:
        yield table(f"{found.title}: {each.label} on {each.machine}", columns, [rows(columns, each.points)])
