"""Under which conditions it was measured: where a clock could start, the microphone, warmth, how busy the GPU was."""

from __future__ import annotations

from firstpacket.bench.report.microphone import lateness_rows
from firstpacket.bench.report.section import Section
from firstpacket.bench.report.view import View
from firstpacket.bench.report.warmth import warmth_table
from firstpacket.bench.tables.table import Cell, Heading, Place, Row, Table

GPU_LEAD = (
    "A stage's window lies between its first and last event on the GPU, and may hold idle gaps. Busy is when the "
    "device was at work for it: the union of its kernels, copies and fills, from turns under the profiler that no "
    "other figure rests on. A low share: the device waits for the host."
)


def clock_starts(view: View) -> Section:
    """How far the moments lie apart from which a clock could start."""
    found = view.contents.starts
    rows = [
        Row(
            (
                (row.label,),
                (row.start,),
                *(view.figures.estimate(("starts", "rows", place, "to", name), "ms") for name in found.columns),
            )
        )
        for place, row in enumerate(found.rows)
    ]
    table = Table(
        "From one start to a later one, medians [95 % CI]",
        (
            Heading("label", is_number=False),
            Heading("from", is_number=False),
            *(Heading(f"to {name}") for name in found.columns),
        ),
        (tuple(rows),),
        (f"End of speech: {'; '.join(found.end_of_speech)}.",) if found.end_of_speech else (),
    )
    lead = (
        f"Every latency here counts from t0: {found.t0}. A figure quoted elsewhere may count from another of these "
        "moments; this is how far they lie apart."
    )
    return Section("starts", "Where a clock could start", lead, (table,) if rows else ())


def microphone(view: View) -> Section:
    """How late frames of the user's speech were delivered."""
    heard = view.contents.summary.microphone
    if heard is None:
        return Section("microphone", "The microphone", "")
    lead = (
        f"How late frames of the user's speech were delivered in {heard.turns} measured turns; {heard.late_frames} of "
        f"{heard.frames} came later than the limit of {heard.limit_ms:g} ms, and {heard.late_turns} turns are flagged."
    )
    rows = [
        Row(
            (
                (row.lateness,),
                view.figures.number(("summary", "microphone", "buckets", place, "frames"), "count"),
                (f"{row.share:.2%}",),
            )
        )
        for place, row in enumerate(lateness_rows(heard))
    ]
    columns = (Heading("late by, ms"), Heading("frames"), Heading("share"))
    return Section("microphone", "The microphone", lead, (Table("Lateness of frames", columns, (tuple(rows),)),))


def warmth(view: View) -> Section:
    """Cold, warm, after idleness."""
    lead = "Only warm turns enter the figures above. Over warm: against the label's own warm turns on the same clip."
    return Section("warmth", "Cold, warm, after idle", lead, (warmth_table(view.contents.summary),))


def gpu(view: View) -> Section:
    """How busy the GPU was."""
    profiled = [label for label in view.labels if view.figures.value((*view.of_label(label), "gpu"))]
    groups = [tuple(_busy(view, label)) for label in profiled]
    columns = (Heading("label", is_number=False), Heading("stage", is_number=False), Heading("window"), Heading("busy"))
    turns = [
        f"{label}: {view.figures.value((*view.of_label(label), 'gpu'))['turns']} profiled turns" for label in profiled
    ]
    lost = [
        f"{label}: {found['lost_launches']:g} launches left no record"
        for label in profiled
        if (found := view.figures.value((*view.of_label(label), "gpu")))["lost_launches"]
    ]
    notes = (f"Means. {'; '.join([*turns, *lost])}. Windows are of the measured turns of the same clips.",)
    table = Table("Busy by stage", (*columns, Heading("share")), tuple(groups), notes)
    return Section("gpu", "How busy the GPU was", GPU_LEAD, (table,) if profiled else ())


def _busy(view: View, label: str) -> list[Row]:
    at: Place = (*view.of_label(label), "gpu")
    rows = []
    for stage in view.figures.value((*at, "stages")):
        here = (*at, "stages", stage)
        cells: list[Cell] = [view.figures.number((*here, name), "ms") for name in ("window_ms", "busy_ms")]
        rows.append(Row(((label,), (stage,), *cells, view.figures.number((*here, "share"), "share"))))
    for name, title in (("busy_ms", "the device, whatever for"), ("unassigned_ms", "for no stage")):
        rows.append(Row(((label,), (title,), ("",), view.figures.number((*at, name), "ms"), ("",)), kind="quiet"))
    return rows
