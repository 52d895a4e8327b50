"""What `bench compare` prints beside its sentences: tables of metrics, of contributions, and of the ladder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from firstpacket.bench.compare.comparison import Comparison
from firstpacket.bench.compare.ladder import Ladder
from firstpacket.bench.compare.roles import Contributions
from firstpacket.bench.report.terminal import add_column, plain_table
from firstpacket.bench.report.words import estimated

NOBODY = "no stage"


def metrics_table(found: Sequence[Comparison]) -> Table:
    """One row per metric of the same two labels: difference and ratio with their intervals, and the pairs."""
    table = plain_table(f"{found[0].other} - {found[0].base}, medians of pairs [95 % CI each]")
    for heading in ("metric", "difference", "ratio", "pairs", "lost"):
        add_column(table, heading, is_number=heading in ("difference", "ratio", "pairs"))
    for each in found:
        cells = (each.title, estimated(each.difference, each.unit), estimated(each.ratio, "ratio"), str(each.pairs))
        table.add_row(*map(Text, (*cells, _reasons(each.lost) or "none")))
    return table


def contributions_table(found: Contributions) -> Table:
    """One row per role: what it adds to the mean difference of the first packet, and the sum."""
    table = plain_table("first packet by role [95 % CI]")
    for heading in ("role", f"mean of {found.other} - {found.base}"):
        add_column(table, heading, is_number=heading != "role")
    for role, each in found.roles.items():
        table.add_row(Text(role or NOBODY), Text(estimated(each, "ms")))
    table.add_row(Text("together"), Text(estimated(found.total, "ms")), style="bold")
    table.caption = Text(_pairs(found.pairs, found.lost))
    return table


def ladder_table(found: Ladder) -> Table:
    """One row per step: what changed, the mean difference, its share of the whole, and the whole."""
    table = plain_table(f"{found.title}, means step by step [95 % CI]")
    for heading in ("from", "to", "changed", "difference", "share"):
        add_column(table, heading, is_number=heading in ("difference", "share"))
    for step in found.steps:
        share = "-" if step.share is None else f"{100 * step.share:.0f} %"
        cells = (step.base, step.other, step.changed, estimated(step.difference, found.unit), share)
        table.add_row(*map(Text, cells))
    whole = (found.labels[0], found.labels[-1], "everything", estimated(found.whole, found.unit), "")
    table.add_row(*map(Text, whole), style="bold")
    table.caption = Text(_pairs(found.whole.n if found.whole else 0, found.lost))
    return table


def _pairs(pairs: int, lost: Mapping[str, int]) -> str:
    return f"{pairs} pairs, {sum(lost.values())} lost: {_reasons(lost)}" if lost else f"{pairs} pairs"


def _reasons(lost: Mapping[str, int]) -> str:
    return ", ".join(f"{n} ({reason})" for reason, n in lost.items())
