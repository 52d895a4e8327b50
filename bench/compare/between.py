"""Compares labels of two runs. There are no pairs of turns, only common clips: a clip's value is the median of its
turns in each run, and drift of the machine between the runs is part of the difference."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from firstpacket.bench.compare.band import widened
from firstpacket.bench.compare.comparable import Mismatch, over_time, refuse, side_by_side
from firstpacket.bench.compare.comparison import Comparison, any_dummy, comparison, requested_metric
from firstpacket.bench.compare.pairs import clip_by_clip, names_in
from firstpacket.bench.errors import NotComparable
from firstpacket.bench.metrics.definitions import HEADLINE
from firstpacket.bench.record.store import Run


def compare_runs(base: Run, other: Run, label: str, metric: str = HEADLINE) -> Comparison:
    """One label of two runs on one metric, by the clips they have in common.

    Raises `NotComparable` with every reason if the runs must not be compared (`over_time`), `UnknownName` for a label
    that one of them does not have, or an unknown metric.
    """
    return compare_metrics(base, other, (label, label), [metric])[0]


def compare_metrics(
    base: Run,
    other: Run,
    labels: tuple[str, str],
    metrics: Sequence[str],
    *,
    allowed: Collection[str] = (),
    band: float | None = None,
) -> tuple[Comparison, ...]:
    """A label of the first run and one of the second on each of the metrics; raises as `compare_runs`.

    Mismatches of rules in `allowed` are ignored. Intervals are widened by `band`, if known: the share by which the same
    code differs from itself between two runs on this machine.
    """
    known = [requested_metric(metric) for metric in metrics]
    what = f"runs '{base.manifest.run}' and '{other.manifest.run}'"
    despite = refuse(mismatches(base, other, labels), allowed, what)
    names = names_in(base, other, labels)
    dummy = any_dummy(((base, labels[0]), (other, labels[1])))
    made = []
    for each in known:
        pairs = clip_by_clip(base, other, labels[0], each, labels[1])
        found = comparison(each, names, pairs, "clip", dummy=dummy)
        made.append(replace(widened(found, pairs.before, band), allowed_mismatches=despite))
    return tuple(made)


def mismatches(base: Run, other: Run, labels: tuple[str, str]) -> tuple[Mismatch, ...]:
    """By the rules for one label over time, or those for different labels. Raises `UnknownName` for a label."""
    if labels[0] == labels[1]:
        return over_time(base, other, labels[0])
    return side_by_side((base, labels[0]), (other, labels[1]))


def common_labels(base: Run, other: Run) -> tuple[str, ...]:
    """Labels that both runs have. Raises `NotComparable` if there is none."""
    common = tuple(label for label in base.labels if label in other.labels)
    if not common:
        raise NotComparable(
            f"Runs '{base.manifest.run}' and '{other.manifest.run}' have no label in common ({', '.join(base.labels)}; "
            f"{', '.join(other.labels)}). Use the same label in both: --pipeline LABEL=NAME."
        )
    return common
