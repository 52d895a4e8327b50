"""Progress of a run: a bar on a terminal, a line updated in place in notebooks, a line per turn elsewhere."""

from __future__ import annotations

import contextlib
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from firstpacket.bench.format import counted
from firstpacket.bench.metrics.definitions import HEADLINE
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.run.schedule.base import PlannedTurn
from firstpacket.bench.timing.clock import NS_PER_MS


class RunningMedian:
    """The median first-packet latency of each label so far."""

    def __init__(self) -> None:
        self._values_ms: dict[str, list[float]] = defaultdict(list)

    def add(self, turn: Turn) -> None:
        """Count a measured turn that was answered."""
        if turn.is_measured and HEADLINE in turn.figures:
            self._values_ms[turn.label].append(turn.figures[HEADLINE] / NS_PER_MS)

    def text(self) -> str:
        """`direct 312 ms  cascade 801 ms`."""
        return "  ".join(f"{label} {statistics.median(values):.0f} ms" for label, values in self._values_ms.items())


class NoProgress:
    """Shows nothing; what others show begins with `_say`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def loading(self, label: str) -> None:
        """Say what is being loaded."""
        self._say(f"loading {label}")

    def begins(self, planned: PlannedTurn, done: int, total: int) -> None:
        """The turn in flight; by default only its end is reported."""

    def idling(self, seconds: float) -> None:
        """Say why nothing happens."""
        self._say(f"idling for {seconds:g} s, then one turn of each system")

    def checked(self, said: str) -> None:
        """The result of a check of the precision."""

    def warned(self, said: str) -> None:
        """Say what is wrong with the run so far."""
        self._say(said)

    def left_running(self, label: str, processes: Sequence[str]) -> None:
        """Say what had to be ended."""
        self._say(_left_running(label, processes))

    def ended(self, turn: Turn, done: int, total: int) -> None:
        """How a turn went."""

    def _say(self, line: str) -> None:
        """What is going on."""


class BarProgress(NoProgress):
    """A progress bar with the current turn and the running medians."""

    def __init__(self, console: Console) -> None:
        self._medians = RunningMedian()
        self._bar = Bar(
            BarColumn(24),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}", style="bold", markup=False),
            TextColumn("{task.fields[medians]}", markup=False),
            console=console,
            transient=True,
        )
        self._task: TaskID = self._bar.add_task("starting", total=None, medians="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begins(self, planned: PlannedTurn, done: int, total: int) -> None:
        """Show the turn in flight."""
        what = (
            f"{planned.label} {planned.utterance}"
            if planned.phase == "measured"
            else f"{planned.phase} turn of {planned.label}"
        )
        self._bar.update(self._task, description=what, completed=done, total=total)

    def checked(self, said: str) -> None:
        """Print it above the bar."""
        self._bar.console.print(said, markup=False, highlight=False)

    def warned(self, said: str) -> None:
        """Print it above the bar."""
        self._bar.console.print(said, markup=False, highlight=False)

    def left_running(self, label: str, processes: Sequence[str]) -> None:
        """Say what had to be ended."""
        self._bar.console.print(_left_running(label, processes), markup=False, highlight=False)

    def ended(self, turn: Turn, done: int, total: int) -> None:
        """Advance; report a turn without an answer immediately."""
        self._medians.add(turn)
        self._bar.update(self._task, completed=done, total=total, medians=self._medians.text())
        if not turn.is_answered:
            self._bar.console.print(_trouble(turn), markup=False, highlight=False)

    def _say(self, line: str) -> None:
        self._bar.update(self._task, description=line)


class PlainProgress(NoProgress):
    """A line per turn, for logs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._medians = RunningMedian()

    def checked(self, said: str) -> None:
        """Say how narrow the interval is."""
        self._say(said)

    def ended(self, turn: Turn, done: int, total: int) -> None:
        """Say how the turn went."""
        self._medians.add(turn)
        latency_ns = turn.figures.get(HEADLINE)
        took = f"first packet {latency_ns / NS_PER_MS:.1f} ms" if latency_ns is not None else "no packet"
        place = f"{done}/{total}" if turn.is_measured else turn.phase
        line = f"[{place}] {turn.label} {turn.utterance}: {turn.outcome}, {took}"
        medians = self._medians.text() if turn.is_measured else ""
        self._say(f"{line}  (median {medians})" if medians else line)
        if not turn.is_answered:
            self._say(_trouble(turn))

    def _say(self, line: str) -> None:
        with contextlib.suppress(OSError):  # a closed terminal must not stop the run
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class NotebookProgress(NoProgress):
    """One line below the cell, updated in place by IPython's display; no widgets needed."""

    def __init__(self) -> None:
        self._medians = RunningMedian()
        self._shown: Any = None

    def __enter__(self) -> Self:
        from IPython.display import display

        self._shown = display({"text/plain": "starting"}, raw=True, display_id=True)
        return self

    def ended(self, turn: Turn, done: int, total: int) -> None:
        """Show how far it is, and the medians so far."""
        self._medians.add(turn)
        self._say(f"{done} of {counted(total, 'turn')}  {self._medians.text()}")

    def _say(self, line: str) -> None:
        self._shown.update({"text/plain": line}, raw=True)


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook; loads nothing."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and getattr(shell, "kernel", None) is not None


def _left_running(label: str, processes: Sequence[str]) -> str:
    return (
        f"{label} had left processes running, which were ended: {', '.join(processes)}. Its close() should end what "
        "load() starts."
    )


def _trouble(turn: Turn) -> str:
    return f"turn {turn.turn} of {turn.label} ({turn.utterance}): {turn.outcome}" + (
        f": {turn.reason}" if turn.reason else ""
    )
