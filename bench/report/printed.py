"""What `bench show` prints of a run."""

from __future__ import annotations

from rich.console import Console

from firstpacket.bench.compare.within import compare_all
from firstpacket.bench.compare.words import sentence
from firstpacket.bench.record.store import Run
from firstpacket.bench.report.quality import quality_table
from firstpacket.bench.report.terminal import comparison_table, summary_table
from firstpacket.bench.summary.contents import Summary


def print_run(console: Console, run: Run, summary: Summary) -> None:
    """The table of labels, that of quality, and what stands between the labels, in figures and in sentences."""
    console.print(summary_table(summary))
    console.print(quality_table(summary))
    if len(run.manifest.labels) < 2 or summary.invalid:
        return
    comparisons = compare_all(run)
    console.print(comparison_table(comparisons))
    for comparison in comparisons:
        # Terminals wrap by themselves, and what is piped stays on one line; a picture does neither.
        console.print(sentence(comparison), markup=False, soft_wrap=not console.record)
