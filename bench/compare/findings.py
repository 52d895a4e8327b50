"""The whole output of a comparison: every metric, the contribution of each role, and the ladder."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from firstpacket.bench.compare import between, within
from firstpacket.bench.compare.comparable import refuse, side_by_side
from firstpacket.bench.compare.comparison import Comparison
from firstpacket.bench.compare.conditions import conditions, under
from firstpacket.bench.compare.headline import headline
from firstpacket.bench.compare.ladder import Ladder, ladder
from firstpacket.bench.compare.pairs import asked_together
from firstpacket.bench.compare.roles import Contributions, contributions_between, contributions_within
from firstpacket.bench.compare.sentences import sentence
from firstpacket.bench.contract import computed
from firstpacket.bench.errors import UsageError
from firstpacket.bench.metrics.definitions import FIRST_AUDIBLE, HEADLINE, Shown, shown_in
from firstpacket.bench.record.store import Run
from firstpacket.bench.summary.figures import metric_names


@dataclass(frozen=True, slots=True)
class Findings:
    """One label against another: first the headline (or the chosen metric), then every metric that both have."""

    metrics: tuple[Comparison, ...]
    contributions: Contributions
    conditions: str = ""
    """Sizes of the language models, and the machine; empty if unknown, or not the same in two runs."""

    @property
    def headline(self) -> Comparison:
        """The chosen metric."""
        return self.metrics[0]

    @property
    def statement(self) -> str:
        """The headline in a sentence: the first packet together with what a listener notices, or the chosen metric."""
        heard = next((each for each in self.metrics if each.metric == FIRST_AUDIBLE and each.pairs), None)
        is_usual = self.headline.metric == HEADLINE and heard is not None
        return under(self.conditions, headline(self.headline, heard) if is_usual else sentence(self.headline))

    @computed
    def sentences(self) -> tuple[str, ...]:
        """Each metric's result in words."""
        return tuple(map(sentence, self.metrics))


@dataclass(frozen=True, slots=True)
class Report:
    """The output of `bench compare`."""

    findings: tuple[Findings, ...]
    ladder: Ladder | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What to compare, and how."""

    metric: str = HEADLINE
    labels: tuple[str, ...] = ()
    """Two labels, if not all against the first; with two runs, one of each."""
    ladder: tuple[str, ...] = ()
    """Labels in the order of the ladder; all labels of the run if empty."""
    every_metric: bool = False
    allowed: Collection[str] = ()
    band: float | None = None


def of_labels(run: Run, question: Question) -> Report:
    """Compare labels of one run: all against the first, or the two that are named.

    Raises `UsageError` if there is nothing to compare, `NotComparable` if the run is invalid and that is not allowed,
    `UnknownName` for a label, metric or rule.
    """
    labels = run.labels
    chosen = _pairs_of_labels(run, question)
    steps = question.ladder or (labels if not question.labels and len(labels) > 2 else ())
    return Report(
        tuple(_of_pair(run, pair, question) for pair in chosen),
        ladder(run, steps, question.metric) if steps else None,
    )


def of_runs(base: Run, other: Run, question: Question) -> Report:
    """Compare every label that two runs share, or one of each.

    Raises `UsageError` for a ladder, otherwise as `between.compare_metrics`.
    """
    if question.ladder:
        raise UsageError(
            "A ladder needs paired turns, which only the labels of one run have. Remove --ladder, or pass only one run."
        )
    chosen = [(label, label) for label in between.common_labels(base, other)] if not question.labels else []
    chosen += [_two(question.labels)] if question.labels else []
    return Report(tuple(_of_runs(base, other, pair, question) for pair in chosen))


def _pairs_of_labels(run: Run, question: Question) -> list[tuple[str, str]]:
    if question.labels:
        return [_two(question.labels)]
    first, *others = run.labels
    if not others:
        raise UsageError(f"{run.path} has only one label, so there is nothing to compare. Pass a second run.")
    return [(first, label) for label in others]


def _two(labels: Sequence[str]) -> tuple[str, str]:
    if len(labels) != 2:
        raise UsageError(f"--labels takes two labels, BASE,OTHER, not '{','.join(labels)}'.")
    return labels[0], labels[1]


def _of_pair(run: Run, labels: tuple[str, str], question: Question) -> Findings:
    mismatches = side_by_side((run, labels[0]), (run, labels[1]))
    allowed = refuse(mismatches, question.allowed, f"the systems of '{run.manifest.run}'")
    together = asked_together(run, labels)
    names = _metrics([(run, label) for label in labels], question)
    found = [replace(each, allowed_mismatches=allowed) for each in within.compare_metrics(run, together, labels, names)]
    return Findings(_with_pairs(found), contributions_within(run, labels, together), conditions(run, labels))


def _of_runs(base: Run, other: Run, labels: tuple[str, str], question: Question) -> Findings:
    names = _metrics([(base, labels[0]), (other, labels[1])], question)
    found = between.compare_metrics(base, other, labels, names, allowed=question.allowed, band=question.band)
    holds_for = {conditions(base, labels[:1]), conditions(other, labels[1:])}
    of_both = holds_for.pop() if len(holds_for) == 1 else ""
    return Findings(_with_pairs(found), contributions_between(base, other, labels), of_both)


def _metrics(sides: Sequence[tuple[Run, str]], question: Question) -> list[str]:
    """The chosen metric, then those that both sides have."""
    there = [metric_names(run.measured(label)) for run, label in sides]
    both = [name for name in there[0] if name in there[1]]
    if not question.every_metric:
        both = [known.name for known in shown_in(Shown.COMPARISON, both)]
    return [question.metric, *(name for name in both if name != question.metric)]


def _with_pairs(found: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """The first in any case; others only if there was a pair."""
    return tuple(each for place, each in enumerate(found) if place == 0 or each.pairs)
