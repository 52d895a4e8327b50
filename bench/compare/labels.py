"""Facts about a run's labels that comparisons need."""

from __future__ import annotations

from collections.abc import Sequence

from firstpacket.bench.record.store import Run
from firstpacket.bench.summary.values import label_weights


def any_dummy(sides: Sequence[tuple[Run, str]]) -> bool:
    """Whether any label ran on random weights, so that only times are meaningful."""
    return any(weights.origin == "dummy" for run, label in sides for weights in label_weights(run, label))


def matched(run: Run, labels: Sequence[str]) -> bool:
    """Whether each label was matched, or is the direct pipeline they were matched with, which lacks the option."""
    values = [plan.options.get("matched") for plan in run.manifest.labels if plan.label in labels]
    return True in values and False not in values
