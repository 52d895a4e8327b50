"""Latency against length of speech, over the course of the run, and along swept options."""

from __future__ import annotations

import math

from firstpacket.bench.analysis.course import METHOD as COURSE_METHOD
from firstpacket.bench.analysis.length import METHOD as LENGTH_METHOD
from firstpacket.bench.analysis.published import DEFINITION, HARDWARE
from firstpacket.bench.analysis.sweeps import Sweep
from firstpacket.bench.format import amount
from firstpacket.bench.report.plots.points import course_svg, length_svg, sweep_svg
from firstpacket.bench.report.plots.style import dashes, series
from firstpacket.bench.report.section import Block, Key, Picture, Section
from firstpacket.bench.report.view import View
from firstpacket.bench.tables.table import Cell, Figure, Heading, Place, Row, Table


def by_length(view: View) -> Section:
    """What each second of speech costs."""
    found = view.contents.length.labels
    if not found:
        return Section("length", "Latency by length of speech", "")
    rows = []
    for fit in found:
        at: Place = ("length", "labels", fit.label)
        slope = view.figures.estimate((*at, "line", "slope"), "ms", signed=True) if fit.line else ("-",)
        rows.append(Row(((fit.label,), slope, view.figures.number((*at, "clips"), "count"))))
    table = Table(
        "What each second of speech costs",
        (Heading("label", is_number=False), Heading("per second of speech [95 % CI]"), Heading("clips")),
        (tuple(rows),),
        (f"{LENGTH_METHOD}. A dash: too few clips, or too few lengths.",),
    )
    numbered = [(view.labels.index(fit.label), fit) for fit in found]
    said = "; ".join(
        f"{fit.label} {amount(fit.line.slope.value, 'ms')} per second" if fit.line else f"{fit.label}: too few clips"
        for fit in found
    )
    svg = length_svg(numbered, f"Slopes: {said}.", f"{view.anchor}-length")
    picture = Picture(
        svg, "A point per clip; the wedge is the interval of the slope.", _keys(view, [fit.label for fit in found])
    )
    lead = "Whether a longer question waits longer for its answer, once it has been said."
    return Section("length", "Latency by length of speech", lead, (picture, table))


def over_the_run(view: View) -> Section:
    """Whether it drifted."""
    found = view.contents.course.labels
    if not found:
        return Section("course", "Over the course of the run", "")
    rows = []
    for course in found:
        at: Place = ("course", "labels", course.label)
        change = view.figures.estimate((*at, "change"), "ms", signed=True)
        counts: list[Cell] = [view.figures.number((*at, name), "count") for name in ("turns", "disturbed")]
        flags = view.figures.value((*view.of_label(course.label), "flags"))
        rows.append(
            Row(((course.label,), change, *counts, (", ".join(f"{n} {flag}" for flag, n in flags.items()) or "none",)))
        )
    columns = (Heading("label", is_number=False), Heading("change, first turn to last [95 % CI]"), Heading("turns"))
    table = Table(
        "Change over the run",
        (*columns, Heading("disturbed"), Heading("flags", is_number=False)),
        (tuple(rows),),
        (
            f"{COURSE_METHOD}. Disturbed: the machine did something else beside the turn (its flags say what).",
            *_temperature(view),
        ),
    )
    numbered = [(view.labels.index(course.label), course) for course in found]
    says = "Medians of stretches of turns that follow each other, by label, from the first turn to the last."
    svg = course_svg(numbered, view.contents.course.temperatures, says, f"{view.anchor}-course")
    keys = _keys(view, [course.label for course in found])
    picture = Picture(svg, "A point per turn, hollow where it was disturbed; the lines are running medians.", keys)
    return Section("course", "Over the course of the run", "", (picture, table))


def swept(view: View) -> Section:
    """Labels that differ in one numeric option."""
    blocks: list[Block] = []
    for number, sweep in enumerate(view.contents.sweeps):
        blocks += [*_curve(view, number, sweep), _table(view, number, sweep), *_published(view, number, sweep)]
    lead = "Labels that differ in one numeric option only. Means, since published figures are means."
    return Section("sweeps", "What an option does", lead, tuple(blocks))


def _curve(view: View, number: int, sweep: Sweep) -> list[Picture]:
    own = [
        (point.value, point.summary.path.total_ms)
        for point in sweep.points
        if math.isfinite(point.value) and point.summary.path.total
    ]
    if len(own) < 2:
        return []
    systems = dict.fromkeys(each.system for each in sweep.published)
    others = [
        (name, [(each.value, each.ms) for each in sweep.published if each.system == name and math.isfinite(each.value)])
        for name in systems
    ]
    said = "; ".join(f"{amount(ms, 'ms')} at {value:g}" for value, ms in own)
    svg = sweep_svg(sweep.option, own, others, f"This run: {said}.", f"{view.anchor}-sweep-{number}")
    keys = [Key(1, "", f"this run, {sweep.pipeline}")]
    keys += [
        Key(series(place), dashes(series(place)), f"{name}, published") for place, name in enumerate(systems, start=1)
    ]
    return [Picture(svg, f"Mean first packet by {sweep.option}.", tuple(keys))]


def _table(view: View, number: int, sweep: Sweep) -> Table:
    at: Place = ("sweeps", number, "points")
    scorers = dict.fromkeys(score["scorer"] for point in view.figures.value(at) for score in point["scores"])
    rows = []
    for place, point in enumerate(view.figures.value(at)):
        here = (*at, place)
        scores: list[Cell] = []
        for scorer in scorers:
            found = [n for n, score in enumerate(point["scores"]) if score["scorer"] == scorer]
            scores.append(view.figures.estimate((*here, "scores", found[0], "mean"), "ratio") if found else ("-",))
        value: Cell = (Figure(_value(point["value"]), point["value"], (*here, "value")),)
        estimates = [view.figures.estimate((*here, name), "ms") for name in ("mean", "p50")]
        wer = view.figures.estimate((*here, "reply", "rate"), "ratio")
        rows.append(Row((value, (point["label"],), *estimates, wer, *scores)))
    columns = (
        Heading(sweep.option),
        Heading("label", is_number=False),
        Heading("mean first packet [95 % CI]"),
        Heading("median"),
    )
    note = f"Published figures stand not beside it: {sweep.why_none_published}." if sweep.why_none_published else ""
    return Table(
        f"{sweep.pipeline} by {sweep.option}",
        (*columns, Heading("reply WER"), *map(Heading, scorers)),
        (tuple(rows),),
        (note,) if note else (),
    )


def _published(view: View, number: int, sweep: Sweep) -> list[Table]:
    if not sweep.published:
        return []
    at: Place = ("sweeps", number, "published")
    rows = []
    for place, each in enumerate(view.figures.value(at)):
        here = (*at, place)
        value: Cell = (Figure(_value(each["value"]), each["value"], (*here, "value")),)
        ms = view.figures.number((*here, "ms"), "ms")
        quality = [view.figures.number((*here, name), "ratio") for name in ("wer", "utmos")]
        rows.append(Row((value, (each["system"],), ms, *quality, (each["source"],))))
    columns = (
        Heading(sweep.option),
        Heading("system", is_number=False),
        Heading("mean"),
        Heading("reply WER"),
        Heading("UTMOS"),
    )
    return [
        Table(
            f"Published, by {sweep.option}: other machines, other weights",
            (*columns, Heading("source", is_number=False)),
            (tuple(rows),),
            (f"Definition: {DEFINITION}. Hardware: {HARDWARE}. Differences below 10 ms say nothing: whole seconds "
             "of the run over 199 questions.",),
            folded=True,
        )
    ]  # fmt: skip


def _value(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _keys(view: View, labels: list[str]) -> tuple[Key, ...]:
    styles = [series(view.labels.index(label)) for label in labels]
    return tuple(Key(style, dashes(style), label) for style, label in zip(styles, labels, strict=True))


def _temperature(view: View) -> tuple[str, ...]:
    found = view.document["course"]["temperature"]
    return (f"The warmest GPU had {found['low']} to {found['high']} °C (dotted, right axis).",) if found else ()
