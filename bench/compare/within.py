"""Compares labels of one run, turn by turn."""

from __future__ import annotations

from collections.abc import Sequence

from firstpacket.bench.compare.comparison import Comparison, any_dummy, comparison, matched, requested_metric
from firstpacket.bench.compare.pairs import Together, asked_together, pairs_of
from firstpacket.bench.metrics.definitions import FIRST_AUDIBLE, HEADLINE
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.sequential import sampling_of


def compare_labels(run: Run, base: str, other: str, metric: str = HEADLINE) -> Comparison:
    """Two labels of one run on one metric, paired by clip, block and segment.

    Raises `UnknownName` for a label the run does not have, or an unknown metric.
    """
    for label in (base, other):
        run.plan(label)
    return compare_metrics(run, asked_together(run, (base, other)), (base, other), [metric])[0]


def compare_metrics(
    run: Run, together: Together, labels: tuple[str, str], metrics: Sequence[str]
) -> tuple[Comparison, ...]:
    """Two labels, from turns measured together, on each of the metrics. Raises `UnknownName` for an unknown one."""
    made = [(known, pairs_of(together, labels, known)) for known in map(requested_metric, metrics)]
    same = matched(run, labels)
    dummy = any_dummy([(run, label) for label in labels])
    rule = run.manifest.stopping_rule
    sampling = sampling_of(rule.blocks if rule else None)
    return tuple(
        comparison(known, labels, pairs, "turn", dummy=dummy, matched=same, sampling=sampling) for known, pairs in made
    )


def compare_moments(run: Run) -> tuple[tuple[Comparison, ...], tuple[Comparison, ...]]:
    """Every label of a run against its first one, on the first packet and on the first audible sample.

    The second is empty if turns ended before it.
    """
    packet, audible = compare_all(run, HEADLINE, FIRST_AUDIBLE)
    return packet, () if run.manifest.leaves_early else audible


def compare_all(run: Run, *metrics: str) -> tuple[tuple[Comparison, ...], ...]:
    """For each of the metrics, every label of a run against its first one; empty for a run of one label."""
    first, *rest = run.labels
    pairs = [(first, label) for label in rest]
    found = [compare_metrics(run, asked_together(run, pair), pair, metrics) for pair in pairs]
    return tuple(tuple(each[number] for each in found) for number in range(len(metrics)))
