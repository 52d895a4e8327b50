"""A roofline for people: a table of stages per system, and the systems against the first one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rich.console import Console

from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.format import NONE, counted
from firstpacket.bench.tables.table import Aside, Cell, Column, Figure, Table, rows, table, words
from firstpacket.bench.tables.terminal import TerminalTable
from firstpacket.pipelines.tools.roofline.estimate import Latency, Row, Spread, SystemRoofline
from firstpacket.pipelines.tools.roofline.measurement import Roofline

LEAST_MS = 0.005
"""Less is 0.00 in the table."""


def _spread(spread: Spread | None, digits: int) -> Cell:
    """The median, and the lowest and highest repetition aside."""
    if spread is None:
        return (NONE,)
    median = Figure(f"{spread.median:.{digits}f}", spread.median)
    if spread.low == spread.high:
        return (median,)
    return (median, Aside((f" ({spread.low:.{digits}f} to {spread.high:.{digits}f})",)))


def _count(count: int | None) -> Cell:
    return (NONE,) if count is None else (Figure(str(count), count),)


STAGES: tuple[Column[Row], ...] = (
    words("stage", lambda row: row.stage),
    Column("measured ms", lambda row: _spread(row.measured_ms, 2)),
    Column("floor ms", lambda row: _spread(row.floor_ms, 3)),
    Column("ratio", lambda row: _spread(row.ratio, 2)),
    Column("operators", lambda row: _count(row.operators)),
    Column("with launching ms", lambda row: _spread(row.launching_floor_ms, 3)),
    Column("ratio ", lambda row: _spread(row.launching_ratio, 2)),
)


def _latency(
    heading: str, latency: Callable[[SystemRoofline], Latency | None], first: str
) -> Iterator[Column[SystemRoofline]]:
    def ms(system: SystemRoofline) -> Cell:
        found = latency(system)
        return (NONE,) if found is None else _spread(found.ms, 2)

    def of_first(system: SystemRoofline) -> Cell:
        found = latency(system)
        return (NONE,) if found is None or system.label == first else _spread(found.of_first, 3)

    yield Column(f"{heading} ms", ms)
    yield Column(f"of {first}", of_first)


def stages_table(system: SystemRoofline, caption: str) -> Table:
    """A row per stage that takes time, and the whole."""
    shown = [row for row in system.stages if row.floor_ms.median or _is_shown(row.measured_ms)]
    return table(caption, STAGES, [rows(STAGES, shown), rows(STAGES, [system.total], kind="sum")])


def _is_shown(measured_ms: Spread | None) -> bool:
    return measured_ms is not None and measured_ms.median >= LEAST_MS


def systems_table(systems: Sequence[SystemRoofline]) -> Table:
    """A row per system: its latencies, and in how many times those of the first."""
    first = systems[0].label
    columns: tuple[Column[SystemRoofline], ...] = (
        words("system", lambda system: system.label),
        *_latency("first packet", lambda system: system.first_packet, first),
        *_latency("first audible", lambda system: system.first_audible, first),
        Column("floor ms", lambda system: _spread(system.total.floor_ms, 3)),
        Column(f"of {first}", lambda system: _floor_of(system, systems[0])),
    )
    return table("", columns, [rows(columns, systems)])


def _floor_of(system: SystemRoofline, first: SystemRoofline) -> Cell:
    if system is first:
        return (NONE,)
    ratio = system.total.floor_ms.median / first.total.floor_ms.median
    return (Figure(f"{ratio:.3f}", ratio),)


def show(found: Roofline, clips: Sequence[Utterance]) -> None:
    """Print what was measured, a table per system, and the comparison."""
    console = Console(highlight=False)
    for line in _heading(found, clips):
        console.print(line, soft_wrap=True)
    for system in found.systems:
        caption = f"{system.label}: floor with memory at {_plain(system.bandwidth_gb_s, 0)} GB/s"
        console.print(TerminalTable(stages_table(system, caption)))
    if len(found.systems) > 1:
        console.print(TerminalTable(systems_table(found.systems)))


def _heading(found: Roofline, clips: Sequence[Utterance]) -> Iterator[str]:
    seconds = [clip.speech_end_ms / 1000 for clip in clips]
    spoken = f"{counted(len(clips), 'clip')} of {min(seconds):.1f} to {max(seconds):.1f} s"
    rates = f"{_plain(found.copy_gb_s, 0)} GB/s copied (read plus written), {_plain(found.rate_tflop_s, 2)} TFLOP/s"
    if not found.repetitions:
        yield f"{found.machine}: {rates} {found.dtype}, from published figures; nothing was measured; {spoken}"
        return
    launches = ", ".join(f"{_plain(cost, 1)} ({kind})" for kind, cost in found.launch_us.items())
    yield f"{found.machine}: {rates} {found.dtype}; launching an operator takes {launches} µs"
    yield f"{counted(found.repetitions, 'repetition')}: the machine, then {spoken}; medians (lowest to highest)"
    yield "floor: memory and arithmetic alone. with launching: and the operators that this implementation launches"


def _plain(spread: Spread, digits: int) -> str:
    return f"{spread.median:.{digits}f}"
