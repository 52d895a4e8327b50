"""What a run says of its labels, for whoever compares them."""

from __future__ import annotations

from collections.abc import Sequence

from firstpacket.bench.errors import UnknownName
from firstpacket.bench.record.schema import System
from firstpacket.bench.record.store import Run
from firstpacket.bench.summary.values import label_weights


def plan_of(run: Run, label: str) -> System:
    """The plan of a label. Raises `UnknownName` if the run has no such label."""
    check_label(run, label)
    return next(plan for plan in run.manifest.labels if plan.label == label)


def check_label(run: Run, label: str) -> None:
    """Raises `UnknownName` if the run has no such label."""
    labels = [plan.label for plan in run.manifest.labels]
    if label not in labels:
        raise UnknownName("label", label, labels, f"The run is '{run.manifest.run}'.")


def any_dummy(sides: Sequence[tuple[Run, str]]) -> bool:
    """Whether any of the labels ran on random weights: then only times mean something."""
    return any(weights.origin == "dummy" for run, label in sides for weights in label_weights(run, label))


def matched(run: Run, labels: Sequence[str]) -> bool:
    """Whether each of the labels was made like the model of the run, or is it: that one has no such choice."""
    asked = [plan.options.get("matched") for plan in run.manifest.labels if plan.label in labels]
    return True in asked and False not in asked
