"""Turns as traces for other tools: the formats by name, and writing them to a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from firstpacket.bench.analysis.turn_trace import OneTurn, one_turn
from firstpacket.bench.errors import UnknownName, UsageError
from firstpacket.bench.export.otlp import otlp
from firstpacket.bench.export.perfetto import perfetto
from firstpacket.bench.paths import write_file
from firstpacket.bench.record.store import Run

FORMATS: dict[str, Callable[[OneTurn], dict[str, Any]]] = {"perfetto": perfetto, "otel": otlp}
ALL = "all"


def trace_lines(run: Run, turn: str, form: str) -> Iterator[str]:
    """A turn by number, or `all` turns, as one line of JSON each.

    Raises `UnknownName` for an unknown format, `UsageError` for a turn that does not exist or for `all` in a format of
    a single turn, `RunError` if a turn's trace is damaged.
    """
    if form not in FORMATS:
        raise UnknownName("trace format", form, FORMATS)
    if turn == ALL and form == "perfetto":
        raise UsageError("A Perfetto trace holds one turn: pass its number with --turn, or use --format otel.")
    if turn != ALL and not turn.isdecimal():
        raise UsageError(f"--turn takes a number or 'all', not '{turn}'. `bench export` lists a run's turns.")
    numbers = [each.turn for each in run.turns] if turn == ALL else [int(turn[:18])]
    for number in numbers:
        yield json.dumps(FORMATS[form](one_turn(run, number)), separators=(",", ":"), allow_nan=False)


def write_traces(run: Run, turn: str, form: str, out: Path) -> Path:
    """Write `trace_lines` to a file. Raises what they raise before the file is touched, and `RunError` if writing
    fails."""
    return write_file(out, "".join(f"{line}\n" for line in trace_lines(run, turn, form)))
