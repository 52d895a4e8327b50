"""A run that starts all its systems in fresh processes again and again; every start is a segment of the run.

Two processes of the same code can differ by some per cent for as long as they live: where they lie in memory, what
their caches hold. More turns of the same processes do not average that out; more processes do.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from firstpacket.bench.options import Options
from firstpacket.bench.record.store import Run, RunWriter, read_run
from firstpacket.bench.run.code_version import CodeVersion
from firstpacket.bench.run.manager import Progress
from firstpacket.bench.run.schedule.fresh_start import FreshStart
from firstpacket.bench.run.segment import Setup, run_segment
from firstpacket.bench.run.session import created, prepare, reopen

CLIPS = 200
"""Of a larger corpus, as many recordings are drawn."""
MOST_PAIRS = 100_000


@dataclass(frozen=True, slots=True)
class Cost:
    """The time that one start took, in seconds."""

    starting_s: float
    """Until all systems were loaded and warm, and to end them."""
    pairs_s: float
    pairs: int


class Replicates:
    """The run, and how to add a start to it."""

    def __init__(self, setup: Setup, writer: RunWriter, progress: Progress) -> None:
        self._setup = setup
        self._writer = writer
        self._progress = progress
        self._run = read_run(writer.path)

    def run(self) -> Run:
        """What had been measured when the last start ended."""
        return self._run

    def start(self, pairs: int, seconds: float) -> Cost:
        """Start all systems once more, measure up to `pairs` turns of each, and end them.

        No pair but the first begins later than `seconds` after the first. Raises `BenchError` if a system cannot be
        loaded, `NotComparable` if the other version's cannot; `KeyboardInterrupt` once the turn in flight is recorded.
        """
        before, number = self._run, len(self._run.segments)
        schedule = FreshStart(pairs, seconds)
        began_ns = time.monotonic_ns()
        run_segment(self._setup, self._writer, self._progress, before.turns, number, schedule=schedule, pairs=pairs)
        spent_ns = time.monotonic_ns() - began_ns
        self._run = read_run(self._writer.path)
        measured = sum(turn.is_measured and turn.segment == number for turn in self._run.turns)
        starting_ns = spent_ns - schedule.measured_ns
        return Cost(starting_ns / 1e9, schedule.measured_ns / 1e9, measured // len(before.labels))


@contextmanager
def replicates(
    options: Options, command: Sequence[str], progress: Progress, path: Path, base: CodeVersion | None = None
) -> Iterator[Replicates]:
    """A new run at `path`, named after the folder that `path` is in.

    With `base`, every system is measured in that version, too. Raises `BenchError` as `session.start` does, and
    `NotComparable` if `base` cannot be measured.
    """
    drawn = prepare(replace(options, turns=CLIPS, out=str(path.parent)), command, base)
    setup = replace(drawn, manifest=replace(drawn.manifest, turns=MOST_PAIRS, replicated=True))
    with created(path, setup.manifest) as writer:
        yield Replicates(setup, writer, progress)


@contextmanager
def reopened(progress: Progress, path: Path, base: CodeVersion | None = None) -> Iterator[Replicates]:
    """The run at `path`, to continue it. Raises `BenchError` as `session.resume` does."""
    setup = reopen(path, base)
    with RunWriter.resume(path) as writer:
        yield Replicates(setup, writer, progress)
