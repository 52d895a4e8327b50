"""What `bench show` prints of a run."""

from __future__ import annotations

from rich.console import Console

from firstpacket.bench.analysis.answer import answer
from firstpacket.bench.analysis.conversation import conversation
from firstpacket.bench.compare.tables import headlines
from firstpacket.bench.compare.within import compare_all
from firstpacket.bench.metrics.definitions import FIRST_AUDIBLE
from firstpacket.bench.record.store import Run
from firstpacket.bench.report.quality import quality_table
from firstpacket.bench.report.sections.glance import glance
from firstpacket.bench.summary.contents import Summary
from firstpacket.bench.tables.terminal import TerminalTable
from firstpacket.bench.text import clean


def print_run(console: Console, run: Run, summary: Summary) -> None:
    """What was measured, the tables of the first screen and of quality, and what the run says at first sight."""
    packet, audible = ((), ()) if summary.invalid else (compare_all(run), compare_all(run, FIRST_AUDIBLE))
    said = answer(run, summary, packet, audible)
    tables = [glance(summary, conversation(run).labels), quality_table(summary)]
    tables += [headlines((*packet, *audible))] if packet else []

    def line(text: str) -> None:
        # Terminals wrap by themselves, and what is piped stays on one line; a picture does neither.
        console.print(clean(text), markup=False, soft_wrap=not console.record)

    line(f"{summary.run}: {said.measured_on}")
    console.print()
    for each in tables:
        console.print(TerminalTable(each))
    for text in said.first_lines:
        line(text)
    for notice in said.notices:
        line(f"note: {notice}")
