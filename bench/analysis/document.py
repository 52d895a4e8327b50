"""The contents of a report, independent of its format: `bench report --format json` writes exactly this.

Every figure in the HTML and Markdown reports points into the JSON of its run (a JSON Pointer), so that formats cannot
disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from firstpacket import __version__
from firstpacket.bench.analysis.answer import Answer, answer, between_runs
from firstpacket.bench.analysis.attribution import Attribution, attribution
from firstpacket.bench.analysis.claims.all import verdicts
from firstpacket.bench.analysis.claims.evidence import contest, facts
from firstpacket.bench.analysis.claims.verdict import Verdict
from firstpacket.bench.analysis.drift import DriftOverRun, drift
from firstpacket.bench.analysis.latency_shares import LatencyShares, latency_shares
from firstpacket.bench.analysis.sweeps import Sweep, sweeps
from firstpacket.bench.analysis.t0_table import T0Table, t0_table
from firstpacket.bench.analysis.utterance_length import Lengths, lengths
from firstpacket.bench.compare.comparison import Comparison
from firstpacket.bench.compare.findings import Question, Report, of_labels
from firstpacket.bench.compare.within import compare_labels
from firstpacket.bench.contract import Omitted
from firstpacket.bench.errors import UsageError
from firstpacket.bench.metrics.definitions import FIRST_AUDIBLE
from firstpacket.bench.record.store import Run
from firstpacket.bench.summary.contents import Summary
from firstpacket.bench.summary.summarise import summarise


@dataclass(frozen=True, slots=True)
class RunContents:
    """The report's contents for one run."""

    run: Omitted[Run]
    summary: Summary
    answer: Answer
    comparison: Report | None
    """The pair of the first sentence before the others; None for a single system, and for an invalid run."""
    attribution: tuple[Attribution, ...]
    latency_shares: LatencyShares
    utterance_length: Lengths
    drift: DriftOverRun
    t0_table: T0Table
    sweeps: tuple[Sweep, ...]
    """Systems that differ in one numeric option."""
    claims: tuple[Verdict, ...]
    """Empty for an invalid run."""


@dataclass(frozen=True, slots=True)
class ReportContents:
    """The report's contents for several runs."""

    version: str
    between_runs: tuple[str, ...]
    """Sentences that compare every later run with the first."""
    runs: tuple[RunContents, ...]


def report_contents(runs: Sequence[Run]) -> ReportContents:
    """The contents for several runs. Raises `UsageError` without any, `RunError` as `contents`."""
    if not runs:
        raise UsageError("A report needs at least one run. Name run folders; `bench run` makes them.")
    return ReportContents(__version__, between_runs(tuple(runs)), tuple(map(contents, runs)))


def contents(run: Run) -> RunContents:
    """The contents for one run. Raises `RunError` if a turn holds a figure that has no definition."""
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
        attribution=parts,
        latency_shares=latency_shares(run),
        utterance_length=lengths(run),
        drift=drift(run),
        t0_table=t0_table(run),
        sweeps=swept,
        claims=() if summary.invalid else verdicts(facts(run, summary, swept)),
    )


def _compared(run: Run, summary: Summary) -> Report:
    """All systems against the first; before these, if the run has both, a direct model against its best cascade."""
    found = of_labels(run, Question())
    pair = contest(summary)
    if pair is None:
        return found
    of_pair = [each for each in found.findings if {each.headline.base, each.headline.other} == set(pair)]
    lead = of_pair[0] if of_pair else of_labels(run, Question(labels=pair)).findings[0]
    return Report((lead, *(each for each in found.findings if each is not lead)), found.ladder)


def _audible(run: Run, compared: Report | None) -> tuple[Comparison, ...]:
    if compared is None or run.manifest.leaves_early:
        return ()
    pairs = [(found.headline.base, found.headline.other) for found in compared.findings]
    return tuple(compare_labels(run, *pair, FIRST_AUDIBLE) for pair in pairs)
