"""The report on a run in progress, rewritten every few seconds until the run is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from firstpacket.bench.paths import write_file
from firstpacket.bench.record.store import Run, in_use, read_run
from firstpacket.bench.report.html import render_report, write_report

EVERY_S = 5


def watch(
    path: Path,
    out: Path,
    said: Callable[[str], None],
    *,
    wait: Callable[[float], None] = time.sleep,
    every_s: int = EVERY_S,
) -> Path:
    """Write the report on the run in the folder `path` to `out` until the run is over; returns `out`.

    Meanwhile the page reloads itself every `every_s` seconds and shows the run's progress at the top. There may be no
    turn yet. `said` receives a line each time. Raises `RunError` if it is no run, or `out` cannot be written.
    """
    while True:
        going_on = in_use(path)  # checked first: a report written after the run's end is complete
        run = read_run(path)
        if not going_on:
            said(progress(run))
            return write_report([run], out)
        status = f"{progress(run)}; the run is in progress, and this page reloads every {every_s} s."
        write_file(out, render_report([run], refresh_s=every_s, status=status))
        said(progress(run))
        wait(every_s)


def progress(run: Run) -> str:
    """How far a run is: `12 of 80 measured turns`."""
    measured = sum(turn.is_measured for turn in run.turns)
    at_most = "at most " if run.manifest.stopping_rule or run.manifest.replicated else ""
    return f"{measured} of {at_most}{run.manifest.turns * len(run.manifest.labels)} measured turns"
