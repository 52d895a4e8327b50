"""One self-contained HTML file from one or more runs: no network, no script, the same bytes for the same runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from markupsafe import Markup

from bench import __version__
from bench.compare.comparison import Comparison
from bench.compare.within import compare_all
from bench.errors import RunError, UsageError
from bench.metrics.definitions import HEADLINE
from bench.record.store import Run
from bench.report.answer import Answer, answer, between_runs
from bench.report.bars import PathRow, Stack, hidden_rows, path_rows, stacks
from bench.report.ecdf import Curve, curves, ecdf_svg
from bench.report.method import Method, method
from bench.report.microphone import LatenessRow, lateness_rows
from bench.report.quality import QualityTable, quality
from bench.report.starts import StartTable, starts
from bench.report.templating import templates
from bench.report.timeline import Timelines, timelines
from bench.report.turns import TurnRow, texts_are_sampled, turn_rows
from bench.report.warmth import WarmthTable, warmth_table
from bench.summary.contents import OUTCOMES, PHASES, Summary
from bench.summary.summarise import summarise

AUDIBLE = "response_latency"
FIRST_METRICS = (
    HEADLINE,
    AUDIBLE,
    "gapless_first_audio",
    "asr_final_latency",
    "llm_ttft",
    "llm_first_token_latency",
    "rtf_e2e",
)
"""Metrics that stand in the open and are compared; all others are one click away."""


@dataclass(frozen=True, slots=True)
class RunPage:
    """All that the template prints of one run."""

    anchor: str
    run: Run
    summary: Summary
    answer: Answer
    comparisons: tuple[Comparison, ...]
    quality: QualityTable
    warmth: WarmthTable
    metrics: tuple[str, ...]
    stacks: tuple[Stack, ...]
    path_rows: tuple[PathRow, ...]
    hidden_rows: tuple[PathRow, ...]
    timelines: Timelines
    curves: tuple[Curve, ...]
    ecdf: Markup
    turns: tuple[TurnRow, ...]
    texts_are_sampled: bool
    starts: StartTable
    lateness: tuple[LatenessRow, ...]
    method: Method


def write_report(runs: Sequence[Run], out: Path) -> Path:
    """Write the report on `runs` to the file `out` and return it; folders are made as needed.

    Raises `UsageError` without runs, `RunError` if the file cannot be written or a run holds an unknown figure.
    """
    html = render_report(runs)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(html, encoding="utf-8", errors="replace")
    except OSError as error:
        raise RunError(f"Cannot write the report to {out}: {error.strerror}. Choose another place.") from error
    return out


def render_report(runs: Sequence[Run]) -> str:
    """The report as text. Raises as `write_report` does."""
    if not runs:
        raise UsageError("A report needs at least one run. Name run folders; `bench run` makes them.")
    return (
        templates()
        .get_template("report.html.j2")
        .render(
            version=__version__,
            style=Markup(
                resources.files("bench.report").joinpath("templates", "style.css").read_text(encoding="utf-8")
            ),
            pages=[_page(run, f"run-{position}") for position, run in enumerate(runs, start=1)],
            between_runs=between_runs(tuple(runs)),
            phases=PHASES,
            outcomes=OUTCOMES,
            first_metrics=FIRST_METRICS,
        )
    )


def _page(run: Run, anchor: str) -> RunPage:
    summary = summarise(run)
    names = list(dict.fromkeys(name for label in summary.labels for name in label.figures))
    comparisons = {name: () if summary.invalid else compare_all(run, name) for name in FIRST_METRICS if name in names}
    drawn = curves(run)
    return RunPage(
        anchor=anchor,
        run=run,
        summary=summary,
        answer=answer(run, summary, comparisons[HEADLINE], comparisons[AUDIBLE]),
        comparisons=tuple(each for name in comparisons for each in comparisons[name] if each.pairs or name == HEADLINE),
        quality=quality(summary),
        warmth=warmth_table(summary),
        metrics=tuple(sorted(names, key=lambda name: FIRST_METRICS.index(name) if name in FIRST_METRICS else 99)),
        stacks=stacks(summary.labels),
        path_rows=path_rows(summary.labels),
        hidden_rows=hidden_rows(summary.labels),
        timelines=timelines(run),
        curves=drawn,
        ecdf=Markup(ecdf_svg(drawn, anchor)),
        turns=turn_rows(run),
        texts_are_sampled=texts_are_sampled(run),
        starts=starts(run),
        lateness=lateness_rows(summary.microphone),
        method=method(run),
    )
