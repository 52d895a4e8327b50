"""Compares labels of one run, turn by turn."""

from __future__ import annotations

from collections.abc import Sequence

from firstpacket.bench.compare.comparison import Comparison, asked_for, comparison
from firstpacket.bench.compare.labels import any_dummy, matched
from firstpacket.bench.compare.pairs import Together, asked_together, pairs_of
from firstpacket.bench.metrics.definitions import HEADLINE
from firstpacket.bench.metrics.stopping_decision import sampling_of
from firstpacket.bench.record.store import Run


def compare_labels(run: Run, base: str, other: str, metric: str = HEADLINE) -> Comparison:
    """Two labels of one run on one metric, paired by clip, block and segment.

    Raises `UnknownName` for a label the run does not have, or an unknown metric.
    """
    return compare_metrics(run, asked_together(run, (base, other)), (base, other), [metric])[0]


def compare_metrics(
    run: Run, together: Together, labels: tuple[str, str], metrics: Sequence[str]
) -> tuple[Comparison, ...]:
    """Two labels, from turns measured together, on each of the metrics. Raises `UnknownName` for an unknown one."""
    made = [(known, pairs_of(together, labels, known)) for known in map(asked_for, metrics)]
    dummy = any_dummy([(run, label) for label in labels])
    same = matched(run, labels)
    sampling = sampling_of(run.manifest.stopping_rule)
    return tuple(
        comparison(known, labels, pairs, "turn", dummy=dummy, matched=same, sampling=sampling) for known, pairs in made
    )


def compare_all(run: Run, metric: str = HEADLINE) -> tuple[Comparison, ...]:
    """Every label of a run against its first one; empty for a run of one label."""
    first, *rest = run.labels
    return tuple(compare_labels(run, first, label, metric) for label in rest)
