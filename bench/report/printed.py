"""What `bench show` prints of a run."""

from __future__ import annotations

from rich.console import Console

from firstpacket.bench.analysis.answer import answer
from firstpacket.bench.compare.tables import headlines
from firstpacket.bench.compare.within import compare_all
from firstpacket.bench.metrics.definitions import FIRST_AUDIBLE
from firstpacket.bench.record.store import Run
from firstpacket.bench.report.quality import quality_table
from firstpacket.bench.report.terminal import summary_table
from firstpacket.bench.summary.contents import Summary
from firstpacket.bench.tables.terminal import TerminalTable


def print_run(console: Console, run: Run, summary: Summary) -> None:
    """The table of labels, that of quality, and what the run says at first sight."""
    console.print(summary_table(summary))
    console.print(TerminalTable(quality_table(summary)))
    if not summary.invalid:
        packet, audible = compare_all(run), compare_all(run, FIRST_AUDIBLE)
        if packet:
            console.print(TerminalTable(headlines((*packet, *audible))))
        for said in answer(run, summary, packet, audible).first_lines:
            # Terminals wrap by themselves, and what is piped stays on one line; a picture does neither.
            console.print(said, markup=False, soft_wrap=not console.record)
