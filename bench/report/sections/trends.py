"""Latency against utterance length, over the run, and along swept options."""

from __future__ import annotations

import math

from firstpacket.bench.analysis.drift import METHOD as DRIFT_METHOD
from firstpacket.bench.analysis.drift import DriftOverRun, SystemDrift
from firstpacket.bench.analysis.published import DEFINITION, HARDWARE, Published
from firstpacket.bench.analysis.sweeps import Point, Sweep
from firstpacket.bench.analysis.utterance_length import METHOD as LENGTH_METHOD
from firstpacket.bench.analysis.utterance_length import LengthFit
from firstpacket.bench.contract import INFINITE
from firstpacket.bench.format import NONE, amount
from firstpacket.bench.report.plots.points import drift_svg, length_svg, sweep_svg
from firstpacket.bench.report.plots.style import dashes, series
from firstpacket.bench.report.section import Block, Key, Picture, Section
from firstpacket.bench.report.view import View
from firstpacket.bench.stats.regression import Line
from firstpacket.bench.tables.cells import estimate, single
from firstpacket.bench.tables.table import Cell, Column, Figure, JsonPath, Table, rows, table, words


def _slope(fit: LengthFit, found: Line | None, name: str) -> Cell:
    at = ("utterance_length", "labels", fit.label, name, "slope")
    return estimate(found.slope if found else None, "ms", at, signed=True)


LENGTHS: tuple[Column[LengthFit], ...] = (
    words("system", lambda fit: fit.label),
    Column("first packet, per second of speech [95 % CI]", lambda fit: _slope(fit, fit.line, "line")),
    Column("first audible, per second of speech [95 % CI]", lambda fit: _slope(fit, fit.audible_line, "audible_line")),
    Column("clips", lambda fit: single(fit.clips, "count", ("utterance_length", "labels", fit.label, "clips"))),
)


def by_length(view: View) -> Section:
    """Added latency per second of speech."""
    found = view.contents.utterance_length.labels
    if not found:
        return Section("length", "Latency by utterance length", "")
    shown = table(
        "Added latency per second of speech",
        LENGTHS,
        [rows(LENGTHS, found)],
        notes=(
            f"{LENGTH_METHOD}. A dash means too few clips, or too few different lengths. Where the interval contains "
            "0, no dependence on the length is shown.",
        ),
    )
    numbered = [(view.labels.index(fit.label), fit) for fit in found]
    said = "; ".join(
        f"{fit.label} {amount(fit.line.slope.value, 'ms')} per second" if fit.line else f"{fit.label}: too few clips"
        for fit in found
    )
    svg = length_svg(numbered, f"Slopes of the first packet: {said}.", f"{view.anchor}-length")
    picture = Picture(
        svg, "One point per clip; the wedge is the slope's 95 % CI.", _keys(view, [fit.label for fit in found])
    )
    lead = "Whether the reply takes longer after a longer question, counted from its end."
    return Section("length", "Latency by utterance length", lead, (picture, shown))


def over_the_run(view: View) -> Section:
    """Whether latency drifted."""
    found = view.contents.drift.labels
    if not found:
        return Section("drift", "Drift over the run", "")
    flags = {label.label: label.flags for label in view.summaries}
    columns: tuple[Column[SystemDrift], ...] = (
        words("system", lambda drift: drift.label),
        Column(
            "change, first turn to last [95 % CI]",
            lambda drift: estimate(drift.change, "ms", ("drift", "labels", drift.label, "change"), signed=True),
        ),
        Column("turns", lambda drift: single(drift.turns, "count", ("drift", "labels", drift.label, "turns"))),
        Column(
            "noisy",
            lambda drift: single(drift.noisy, "count", ("drift", "labels", drift.label, "noisy")),
        ),
        words("flags", lambda drift: ", ".join(f"{n} {flag}" for flag, n in flags[drift.label].items()) or "none"),
    )
    note = f"{DRIFT_METHOD}. Noisy: turns during which the machine did other work (the flags say what)."
    shown = table(
        "Change over the run", columns, [rows(columns, found)], notes=(note, *_temperature(view.contents.drift))
    )
    numbered = [(view.labels.index(drift.label), drift) for drift in found]
    says = "Running medians by system, from the first turn to the last."
    svg = drift_svg(numbered, view.contents.drift.temperatures, says, f"{view.anchor}-drift")
    keys = _keys(view, [drift.label for drift in found])
    picture = Picture(svg, "One point per turn, hollow if noisy; lines are running medians.", keys)
    return Section("drift", "Drift over the run", "", (picture, shown))


def swept(view: View) -> Section:
    """Systems that differ in one numeric option."""
    blocks: list[Block] = []
    for number, sweep in enumerate(view.contents.sweeps):
        blocks += [*_curve(view, number, sweep), _swept(number, sweep), *_published(number, sweep)]
    lead = "Systems that differ only in one numeric option. Means, because published figures are means."
    return Section("sweeps", "Effect of an option", lead, tuple(blocks))


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


def _swept(number: int, sweep: Sweep) -> Table:
    def at(place: int, *steps: str | int) -> JsonPath:
        return ("sweeps", number, "points", place, *steps)

    def scored(scorer: str) -> Column[tuple[int, Point]]:
        def cell(row: tuple[int, Point]) -> Cell:
            for n, score in enumerate(row[1].scores):
                if score.scorer == scorer:
                    return estimate(score.mean, "ratio", at(row[0], "scores", n, "mean"))
            return (NONE,)

        return Column(scorer, cell)

    def cut_off(row: tuple[int, Point]) -> Cell:
        return estimate(row[1].cut_off, "share", at(row[0], "cut_off"))

    columns: tuple[Column[tuple[int, Point]], ...] = (
        Column(sweep.option, lambda row: _value(row[1].value, at(row[0], "value"))),
        words("system", lambda row: row[1].label),
        Column("mean first packet [95 % CI]", lambda row: estimate(row[1].mean, "ms", at(row[0], "mean"))),
        Column("median", lambda row: estimate(row[1].p50, "ms", at(row[0], "p50"))),
        Column("median first audible", lambda row: estimate(row[1].audible, "ms", at(row[0], "audible"))),
        *([Column("cut off [95 % CI]", cut_off)] if any(point.cut_off for point in sweep.points) else []),
        Column("reply WER", lambda row: estimate(row[1].reply.rate, "ratio", at(row[0], "reply", "rate"))),
        *map(scored, dict.fromkeys(score.scorer for point in sweep.points for score in point.scores)),
    )
    why = sweep.reason_unpublished
    return table(
        f"{sweep.pipeline} by {sweep.option}",
        columns,
        [rows(columns, enumerate(sweep.points))],
        notes=(f"No published figures to compare with: {why}.",) if why else (),
    )


def _published(number: int, sweep: Sweep) -> list[Table]:
    if not sweep.published:
        return []

    def at(place: int, *steps: str) -> JsonPath:
        return ("sweeps", number, "published", place, *steps)

    columns: tuple[Column[tuple[int, Published]], ...] = (
        Column(sweep.option, lambda row: _value(row[1].value, at(row[0], "value"))),
        words("system", lambda row: row[1].system),
        Column("mean", lambda row: single(row[1].ms, "ms", at(row[0], "ms"))),
        Column("reply WER", lambda row: single(row[1].wer, "ratio", at(row[0], "wer"))),
        Column("UTMOS", lambda row: single(row[1].utmos, "ratio", at(row[0], "utmos"))),
        words("source", lambda row: row[1].source),
    )
    note = (
        f"Definition: {DEFINITION}. Hardware: {HARDWARE}. Differences below 10 ms are not meaningful: the "
        "published times are whole seconds per run, divided by 199 questions."
    )
    caption = f"Published figures by {sweep.option}: other machines, other weights"
    return [table(caption, columns, [rows(columns, enumerate(sweep.published))], notes=(note,), folded=True)]


def _value(value: float, at: JsonPath) -> Cell:
    """An option's value; infinity is a string in the JSON."""
    return (Figure(f"{value:g}", value, at) if math.isfinite(value) else Figure(INFINITE, INFINITE, at),)


def _keys(view: View, labels: list[str]) -> tuple[Key, ...]:
    styles = [series(view.labels.index(label)) for label in labels]
    return tuple(Key(style, dashes(style), label) for style, label in zip(styles, labels, strict=True))


def _temperature(found: DriftOverRun) -> tuple[str, ...]:
    known = found.temperature
    return (f"Temperature of the warmest GPU: {known.low} to {known.high} °C (dotted, right axis).",) if known else ()
