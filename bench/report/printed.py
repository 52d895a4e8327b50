"""What `bench show` and notebooks show for a run."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from firstpacket.bench.analysis.answer import answer
from firstpacket.bench.analysis.latency_shares import latency_shares
from firstpacket.bench.compare.tables import headlines
from firstpacket.bench.compare.within import compare_moments
from firstpacket.bench.record.store import Run
from firstpacket.bench.report.quality import quality_table
from firstpacket.bench.report.sections.overview import glance
from firstpacket.bench.report.servers import server_tables
from firstpacket.bench.sanitize import clean
from firstpacket.bench.summary.contents import Summary
from firstpacket.bench.tables.table import Table
from firstpacket.bench.tables.terminal import TerminalTable

NOTE = "note: "
"""How a warning begins."""


def first_screen(run: Run, summary: Summary) -> Iterator[str | Table]:
    """What was measured, the summary and quality tables, the headline sentences and the warnings."""
    packet, audible = ((), ()) if summary.invalid else compare_moments(run)
    said = answer(run, summary, packet, audible)
    yield f"{summary.run}: {said.measured_on}"
    yield glance(summary, latency_shares(run).labels)
    yield quality_table(summary)
    yield from server_tables(summary)
    if packet:
        yield headlines((*packet, *audible))
    yield from said.first_lines
    yield from (NOTE + notice for notice in said.notices)


def print_run(console: Console, run: Run, summary: Summary) -> None:
    """Print the first screen."""
    for part in first_screen(run, summary):
        if isinstance(part, Table):
            console.print(TerminalTable(part))
        else:  # terminals wrap by themselves, and piped text stays on one line; an SVG does neither
            console.print(clean(part), markup=False, soft_wrap=not console.record)
