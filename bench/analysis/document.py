"""The report as plain JSON values: what `bench report --format json` prints, and where all forms take figures from.

A contract (`"schema": 1`, docs/json.md); times in ms, shares between 0 and 1, absent numbers null. A value with its
interval is an object {value low high level n clips}:

    schema kind version time_unit
    between_runs[]     sentences on every later run against the first
    runs[]
      .answer          sentences[] attribution measured_on made_of[] notices[]
      .summary         as firstpacket.bench.analysis.summary_json lays down (`bench show --json`)
      .comparison      as firstpacket.bench.analysis.comparison_json lays down (`bench compare --json`), or null
      .attribution[]   base other shares {ROLE: share of the mean difference} sentence
      .conversation    metric method bounds[] {ms why source}; labels {LABEL: {MS: value with interval}}
      .length          method labels {LABEL: {ms_per_s: value with interval, or null; at_s at_ms clips}}
      .course          method labels {LABEL: {turns disturbed change: value with interval, or null}}
                       temperature: {low high} of the warmest GPU, °C, or null
      .starts          t0 end_of_speech[] rows[] {label from to {START: value with interval, or null}}
      .sweeps[]        pipeline option points[] {value label mean p50 reply_wer scores[]} why_none_published
        .published[]   system value ms wer utmos source
      .claims[]        number claim rule verdict measured needed
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from firstpacket import __version__
from firstpacket.bench.analysis.answer import Answer, answer, between_runs
from firstpacket.bench.analysis.attribution import Attribution, attribution
from firstpacket.bench.analysis.claims.all import verdicts
from firstpacket.bench.analysis.claims.evidence import contest, facts
from firstpacket.bench.analysis.claims.verdict import Verdict
from firstpacket.bench.analysis.comparison_json import comparison_json, estimate_json
from firstpacket.bench.analysis.conversation import BOUNDS, shares_under
from firstpacket.bench.analysis.conversation import METHOD as SHARE_METHOD
from firstpacket.bench.analysis.course import METHOD as COURSE_METHOD
from firstpacket.bench.analysis.course import Course, courses, temperatures
from firstpacket.bench.analysis.length import METHOD as LENGTH_METHOD
from firstpacket.bench.analysis.length import LengthFit, length_fits
from firstpacket.bench.analysis.quality_json import quality_json
from firstpacket.bench.analysis.starts import StartTable, starts
from firstpacket.bench.analysis.summary_json import summary_json
from firstpacket.bench.analysis.sweeps import Point, Sweep, sweeps
from firstpacket.bench.compare.comparison import Comparison
from firstpacket.bench.compare.findings import Question, Report, of_labels
from firstpacket.bench.compare.within import compare_labels
from firstpacket.bench.metrics.definitions import FIRST_AUDIBLE
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.binomial import Share
from firstpacket.bench.summary.contents import Summary
from firstpacket.bench.summary.summarise import summarise
from firstpacket.bench.summary.values import measured_turns

SCHEMA = 1
KIND = "firstpacket.report"


@dataclass(frozen=True, slots=True)
class RunContents:
    """All that is said of one run, before it is written in any form."""

    run: Run
    summary: Summary
    answer: Answer
    comparison: Report | None
    """None for a run of one label, and for one that must not be believed."""
    attributions: tuple[Attribution, ...]
    shares: dict[str, dict[int, Share]]
    lengths: tuple[LengthFit, ...]
    courses: tuple[Course, ...]
    temperatures: tuple[tuple[int, int], ...]
    starts: StartTable
    sweeps: tuple[Sweep, ...]
    claims: tuple[Verdict, ...]


def contents(run: Run) -> RunContents:
    """What a run says. Raises `RunError` if a turn holds a figure that has no definition."""
    summary = summarise(run)
    compared = _compared(run, summary) if len(summary.labels) > 1 and not summary.invalid else None
    headlines = tuple(found.headline for found in compared.findings) if compared else ()
    parts = tuple(attribution(found, summary) for found in compared.findings) if compared else ()
    swept = sweeps(run, summary)
    return RunContents(
        run=run,
        summary=summary,
        answer=answer(run, summary, headlines, _audible(run, compared), parts[0].sentence if parts else ""),
        comparison=compared,
        attributions=parts,
        shares={label.label: shares_under(measured_turns(run, label.label)) for label in summary.labels},
        lengths=length_fits(run),
        courses=courses(run),
        temperatures=temperatures(run),
        starts=starts(run),
        sweeps=swept,
        claims=() if summary.invalid else verdicts(facts(run, summary, swept)),
    )


def _compared(run: Run, summary: Summary) -> Report:
    """All labels against the first; ahead of these, where the run has both, a direct model against its best cascade."""
    found = of_labels(run, Question())
    pair = contest(summary)
    if pair is None:
        return found
    of_pair = [each for each in found.findings if {each.headline.base, each.headline.other} == set(pair)]
    lead = of_pair[0] if of_pair else of_labels(run, Question(labels=pair)).findings[0]
    return Report((lead, *(each for each in found.findings if each is not lead)), found.ladder)


def report_document(found: Sequence[RunContents]) -> dict[str, Any]:
    """Plain JSON values, as this module's docstring lays down."""
    return {
        "schema": SCHEMA,
        "kind": KIND,
        "version": __version__,
        "time_unit": "ms",
        "between_runs": list(between_runs(tuple(each.run for each in found))),
        "runs": [run_document(each) for each in found],
    }


def run_document(found: RunContents) -> dict[str, Any]:
    """One run of the report."""
    return {
        "answer": {
            "sentences": list(found.answer.headlines),
            "attribution": found.answer.attribution or None,
            "measured_on": found.answer.measured_on,
            "made_of": list(found.answer.made_of),
            "notices": list(found.answer.notices),
        },
        "summary": summary_json(found.summary),
        "comparison": comparison_json(found.comparison) if found.comparison else None,
        "attribution": [
            {"base": each.base, "other": each.other, "shares": each.shares, "sentence": each.sentence or None}
            for each in found.attributions
        ],
        "conversation": {
            "metric": FIRST_AUDIBLE,
            "method": SHARE_METHOD,
            "bounds": [{"ms": bound.ms, "why": bound.why, "source": bound.source} for bound in BOUNDS],
            "labels": {
                label: {str(ms): estimate_json(share) for ms, share in shares.items()}
                for label, shares in found.shares.items()
            },
        },
        "length": {"method": LENGTH_METHOD, "labels": {each.label: _length(each) for each in found.lengths}},
        "course": {
            "method": COURSE_METHOD,
            "labels": {each.label: _course(each) for each in found.courses},
            "temperature": _range(found.temperatures),
        },
        "starts": _starts(found.starts),
        "sweeps": [_sweep(each) for each in found.sweeps],
        "claims": [_claim(each) for each in found.claims],
    }


def _audible(run: Run, compared: Report | None) -> tuple[Comparison, ...]:
    if compared is None:
        return ()
    pairs = [(found.headline.base, found.headline.other) for found in compared.findings]
    return tuple(compare_labels(run, *pair, FIRST_AUDIBLE) for pair in pairs)


def _length(fit: LengthFit) -> dict[str, Any]:
    return {
        "ms_per_s": estimate_json(fit.line.slope) if fit.line else None,
        "at_s": fit.line.middle if fit.line else None,
        "at_ms": fit.line.at_middle if fit.line else None,
        "clips": len(fit.ms),
    }


def _course(course: Course) -> dict[str, Any]:
    return {
        "turns": len(course.ms),
        "disturbed": sum(course.disturbed),
        "change": estimate_json(course.change) if course.change else None,
    }


def _range(found: Sequence[tuple[int, int]]) -> dict[str, int] | None:
    return {"low": min(c for _, c in found), "high": max(c for _, c in found)} if found else None


def _starts(found: StartTable) -> dict[str, Any]:
    return {
        "t0": found.t0,
        "end_of_speech": list(found.end_of_speech),
        "rows": [
            {
                "label": row.label,
                "from": row.start,
                "to": {
                    name: estimate_json(each) if each else None
                    for name, each in zip(found.columns, row.to, strict=True)
                },
            }
            for row in found.rows
        ],
    }


def _sweep(sweep: Sweep) -> dict[str, Any]:
    return {
        "pipeline": sweep.pipeline,
        "option": sweep.option,
        "points": [_point(point) for point in sweep.points],
        "published": [
            {"system": each.system, "value": _finite(each.value), "ms": each.ms, "wer": each.wer, "utmos": each.utmos,
             "source": each.source}
            for each in sweep.published
        ],
        "why_none_published": sweep.why_none_published or None,
    }  # fmt: skip


def _point(point: Point) -> dict[str, Any]:
    label, judged = point.label, quality_json(point.label.quality)
    headline = label.figures["first_packet_latency"]
    return {
        "value": _finite(point.value),
        "label": label.label,
        "mean": estimate_json(label.path.total),
        "p50": estimate_json(headline.p50),
        "reply_wer": judged["reply_wer"],
        "scores": judged["scores"],
    }


def _claim(verdict: Verdict) -> dict[str, Any]:
    return {
        "number": verdict.number,
        "claim": verdict.claim,
        "rule": verdict.rule,
        "verdict": verdict.answer,
        "measured": verdict.measured or None,
        "needed": verdict.needed or None,
    }


def _finite(value: float) -> float | str:
    """Infinity has no number in JSON."""
    return value if math.isfinite(value) else "infinite"
