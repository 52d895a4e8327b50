"""What `bench compare` prints beside its sentences: tables of contributions and of the ladder."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from bench.compare.ladder import Ladder
from bench.compare.roles import Contributions
from bench.report.terminal import add_column, plain_table
from bench.report.words import estimated

NOBODY = "no stage"


def contributions_table(found: Contributions) -> Table:
    """One row per role: what it adds to the mean difference of the first packet, and the sum."""
    table = plain_table(f"first packet, mean of {found.other} - {found.base}, by role [95 % CI]")
    for heading in ("role", "difference"):
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


def _pairs(pairs: int, lost: dict[str, int]) -> str:
    said = f"{pairs} pairs"
    if lost:
        said += f", {sum(lost.values())} lost ({', '.join(f'{n} {reason}' for reason, n in lost.items())})"
    return said
