"""What a gate found, as a table for the terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from firstpacket.bench.gate.result import GateResult, passes


def gate_table(result: GateResult) -> Table:
    """One row per check."""
    table = Table(title=Text(f"held against {result.baseline}"), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("label", "limit", "verdict", "what was found"):
        table.add_column(Text(heading))
    for check in result.checks:
        said = "" if passes(check.verdict, ()) or not passes(check.verdict, result.allow) else " (allowed)"
        row = (check.label, check.limit.name, check.verdict + said, check.reason)
        table.add_row(*(Text(cell) for cell in row))
    return table
