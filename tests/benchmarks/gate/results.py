"""The results of a series of gates: a file of JSON lines, and the table that it amounts to."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

from firstpacket.bench.stats.binomial import share

VERDICTS = ("regressed", "inconclusive", "same", "improved")
PASSED = 0


class Gate(NamedTuple):
    """One gate of a series, to be measured once."""

    workload: str
    machine: str
    """quiet or bursts."""
    code: str
    """unchanged or slower."""
    number: int


@dataclass(frozen=True, slots=True)
class Result:
    """What came out of one gate."""

    workload: str
    machine: str
    code: str
    number: int
    exit_code: int
    verdict: str
    """`error` without a gate.json; see the gate's log."""
    estimate: float | None
    """Candidate over baseline."""
    starts: int | None
    """How often fresh processes of both sides were started, if the gate says."""
    pairs: int | None
    """Pairs of turns."""
    minutes: float
    """From the command to its exit."""
    others_cores: float
    stolen_cores: float | None
    version: str
    """The checkout's revision."""
    arguments: str
    """Further arguments of the gate."""

    @property
    def gate(self) -> Gate:
        """Which gate it was."""
        return Gate(self.workload, self.machine, self.code, self.number)


def read(file: Path) -> list[Result]:
    """The results in a file. What an interrupted writer left at its end, a line without a line break, is not one."""
    text = file.read_text("utf-8") if file.exists() else ""
    return [Result(**json.loads(line)) for line in _whole(text).splitlines()]


def append(file: Path, result: Result) -> None:
    """Add a result, after the last whole line."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+", encoding="utf-8", newline="\n") as lines:
        lines.seek(0)
        lines.truncate(len(_whole(lines.read()).encode()))
        lines.write(json.dumps(asdict(result)) + "\n")
        lines.flush()
        os.fsync(lines.fileno())


def table(results: Sequence[Result]) -> str:
    """Counts with exact 95 % intervals in per cent, and the median time to the verdict, as Markdown."""
    heading = ("workload", "machine", "code", "gates", "job fails", *VERDICTS, "error", "minutes, median")
    cases = sorted({(result.workload, result.machine, result.code) for result in results}, reverse=True)
    rows = [_row(case, [result for result in results if result.gate[:3] == case]) for case in cases]
    lines = [heading, ("---",) * 3 + ("--:",) * (len(heading) - 3), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _row(case: tuple[str, str, str], results: Sequence[Result]) -> tuple[str, ...]:
    counts = [[result.exit_code != PASSED for result in results]]
    counts += [[result.verdict == verdict for result in results] for verdict in VERDICTS]
    counts += [[result.verdict not in VERDICTS for result in results]]
    minutes = f"{median(result.minutes for result in results):.1f}"
    return (*case, str(len(results)), *map(_counted, counts), minutes)


def _counted(happened: Sequence[bool]) -> str:
    interval = share(happened).interval
    return f"{sum(happened)} ({100 * interval.low:.1f} to {100 * interval.high:.1f} %)"


def _whole(text: str) -> str:
    return text[: text.rfind("\n") + 1]
