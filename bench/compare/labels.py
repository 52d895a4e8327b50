"""What a run says of its labels, for whoever compares them."""

from __future__ import annotations

from collections.abc import Sequence

from firstpacket.bench.record.store import Run
from firstpacket.bench.summary.values import label_weights


def any_dummy(sides: Sequence[tuple[Run, str]]) -> bool:
    """Whether any of the labels ran on random weights: then only times mean something."""
    return any(weights.origin == "dummy" for run, label in sides for weights in label_weights(run, label))


def matched(run: Run, labels: Sequence[str]) -> bool:
    """Whether each of the labels was made like the model of the run, or is it: that one has no such choice."""
    asked = [plan.options.get("matched") for plan in run.manifest.labels if plan.label in labels]
    return True in asked and False not in asked
