"""The conditions of the measurement: choice of t0, microphone timing, warmth, GPU utilisation."""

from __future__ import annotations

from typing import NamedTuple

from firstpacket.bench.analysis.t0_table import StartRow
from firstpacket.bench.format import counted
from firstpacket.bench.report.section import Section
from firstpacket.bench.report.view import View, of_label
from firstpacket.bench.report.warmth import warmth_table
from firstpacket.bench.summary.contents import LabelSummary
from firstpacket.bench.summary.gpu import GpuStage, LabelGpu
from firstpacket.bench.summary.microphone import Bucket
from firstpacket.bench.tables.cells import estimate, single
from firstpacket.bench.tables.table import Cell, Column, JsonPath, Row, rows, table, words

GPU_LEAD = (
    "A stage's window runs from its first to its last GPU event and may include idle gaps. Busy is the time the device "
    "worked for it: the union of its kernels, copies and fills, from separate turns under the profiler that count in "
    "no other figure. A low share means that the device waits for the host."
)


def clock_starts(view: View) -> Section:
    """How far apart the events are that could serve as t0."""
    found = view.contents.t0_table

    def to(name: str) -> Column[tuple[int, StartRow]]:
        return Column(
            f"to {name}", lambda row: estimate(row[1].to[name], "ms", ("t0_table", "rows", row[0], "to", name))
        )

    columns: tuple[Column[tuple[int, StartRow]], ...] = (
        words("system", lambda row: row[1].label),
        words("from", lambda row: row[1].start),
        *map(to, found.columns),
    )
    notes = (f"End of speech: {'; '.join(found.end_of_speech)}.",) if found.end_of_speech else ()
    shown = table(
        "Time between possible starts, medians [95 % CI]", columns, [rows(columns, enumerate(found.rows))], notes=notes
    )
    lead = (
        f"All latencies here count from t0: {found.t0}. Figures published elsewhere may count from another of these "
        "events; this is how far apart they are."
    )
    return Section("t0", "Choice of t0", lead, (shown,) if found.rows else ())


def microphone(view: View) -> Section:
    """How late frames of the user's speech were delivered, up to the last bucket that has any."""
    heard = view.contents.summary.microphone
    if heard is None:
        return Section("microphone", "Microphone timing", "")
    lead = (
        f"How late frames of the user's speech were delivered in {counted(heard.turns, 'measured turn')}; "
        f"{heard.late_frames} of {heard.frames} came later than the limit of {heard.limit_ms:g} ms. Flagged: "
        f"{counted(heard.late_turns, 'turn')}."
    )
    columns: tuple[Column[tuple[int, Bucket]], ...] = (
        Column("lateness, ms", lambda row: (_late_by(row[1]),)),
        Column(
            "frames",
            lambda row: single(row[1].frames, "count", ("summary", "microphone", "buckets", row[0], "frames")),
        ),
        Column("share", lambda row: (f"{100 * row[1].frames / heard.frames:.2f} %",)),
    )
    last = max(place for place, bucket in enumerate(heard.buckets) if bucket.frames)
    shown = table("Frame lateness", columns, [rows(columns, enumerate(heard.buckets[: last + 1]))])
    return Section("microphone", "Microphone timing", lead, (shown,))


def _late_by(found: Bucket) -> str:
    if found.to_ms is None:
        return f"{found.from_ms:g} or more"
    return f"{found.from_ms:g} to {found.to_ms:g}" if found.from_ms else f"below {found.to_ms:g}"


def warmth(view: View) -> Section:
    """Cold, warm and idle turns."""
    lead = (
        "The figures above include only warm turns. vs. warm: difference from the system's own warm turns on the same "
        "clip."
    )
    return Section("warmth", "Cold, warm and idle turns", lead, (warmth_table(view.contents.summary),))


class Stage(NamedTuple):
    """A stage of a system with its place in the JSON."""

    label: str
    found: GpuStage
    at: JsonPath


STAGES: tuple[Column[Stage], ...] = (
    words("system", lambda stage: stage.label),
    words("stage", lambda stage: stage.found.stage),
    Column("window", lambda stage: single(stage.found.window_ms, "ms", (*stage.at, "window_ms"))),
    Column("busy", lambda stage: single(stage.found.busy_ms, "ms", (*stage.at, "busy_ms"))),
    Column("share", lambda stage: single(stage.found.share, "share", (*stage.at, "share"))),
)


def gpu(view: View) -> Section:
    """GPU utilisation by stage."""
    profiled = [(label, label.gpu) for label in view.summaries if label.gpu]
    said = [f"{label.label}: {found.turns} profiled turns" for label, found in profiled]
    said += [
        f"{label.label}: {found.lost_launches:g} launches were not recorded"
        for label, found in profiled
        if found.lost_launches
    ]
    note = f"Means. {'; '.join(said)}. Windows are taken from the measured turns on the same clips."
    shown = table("GPU busy time by stage", STAGES, [_stages(label, found) for label, found in profiled], notes=(note,))
    return Section("gpu", "GPU utilisation", GPU_LEAD, (shown,) if profiled else ())


def _stages(label: LabelSummary, found: LabelGpu) -> tuple[Row, ...]:
    at = of_label(label, "gpu")
    stages = (Stage(label.label, each, (*at, "stages", each.stage)) for each in found.stages)
    busy = single(found.busy_ms, "ms", (*at, "busy_ms"))
    unassigned = single(found.unassigned_ms, "ms", (*at, "unassigned_ms"))
    return (
        *rows(STAGES, stages),
        _extra(label, "device total", busy),
        _extra(label, "no stage", unassigned),
    )


def _extra(label: LabelSummary, title: str, busy: Cell) -> Row:
    return Row(((label.label,), (title,), ("",), busy, ("",)), kind="quiet")
