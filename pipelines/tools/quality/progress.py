"""What people see of it: progress while it listens, then the table, and the report made anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from firstpacket.bench.analysis.quality import quality_notices
from firstpacket.bench.quality.record import QUALITY
from firstpacket.bench.record.store import read_run
from firstpacket.bench.report.html import write_report
from firstpacket.bench.report.quality import quality_table
from firstpacket.bench.summary.summarise import summarise
from firstpacket.bench.tables.terminal import TerminalTable
from firstpacket.pipelines.tools.quality.assess import Assessed, Progress

REPORT = "report.html"
MOST_PROBLEMS = 5


@contextmanager
def progress() -> Iterator[Progress]:
    """A bar on a terminal, a line per recording elsewhere."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda what, done, total: console.print(f"[{done + 1}/{total}] {what}", markup=False, soft_wrap=True)
        return
    columns = BarColumn(24), MofNCompleteColumn(), TextColumn("{task.description}", markup=False)
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("loading", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)


def show(path: Path, found: Assessed) -> None:
    """Print the table, notes and the paths of the results; an existing report is rewritten."""
    run = read_run(path)
    summary = summarise(run)
    table, notes = Console(highlight=False), Console(stderr=True, highlight=False)
    table.print(TerminalTable(quality_table(summary)))
    for notice in (notice for label in summary.labels for notice in quality_notices(label)):
        notes.print(f"note: {notice}", markup=False, soft_wrap=True)
    for problem in found.problems[:MOST_PROBLEMS]:
        notes.print(f"note: {problem}", markup=False, soft_wrap=True)
    if len(found.problems) > MOST_PROBLEMS:
        notes.print(f"note: {len(found.problems) - MOST_PROBLEMS} more like these")
    said = f"{found.replies} replies, {found.written} new findings: {path / QUALITY}"
    notes.print(f"quality: {said}", markup=False, soft_wrap=True)
    if (path / REPORT).exists():
        notes.print(f"report:  {write_report([run], path / REPORT)}", markup=False, soft_wrap=True)
