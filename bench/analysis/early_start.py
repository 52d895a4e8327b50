"""Systems that work while the user speaks, and those of the same pipeline that wait for the end of speech.

Which is which follows from when their stages worked in the measured turns. Such a pair alone shows what an early start
brings: the same models on the same machine.
"""

from __future__ import annotations

from dataclasses import dataclass

from firstpacket.bench.compare.conditions import language_model
from firstpacket.bench.record.schema import System
from firstpacket.bench.record.store import Run
from firstpacket.bench.summary.contents import LabelSummary, Summary

PUBLISHED_SIZE = 7.5e9
"""Parameters from which a model is of the published size, 8B."""
LEAST = 0.01
"""Share of the work from which a system starts early; less is preparation, such as resetting a decoder."""
AT_8B = (
    "For the published size (8B) the roofline predicts that a direct model which starts early saves about 10 ms on an "
    "H200, and 54 ms on an L40, on which the paper measured 236 ms: a small model on a CPU, where it saves more, says "
    "nothing about that size"
)
"""The floors of the first packet are 17.6 and 7.7 ms (H200), 95.6 and 41.4 ms (L40), with 30 s encoded after the end of
speech and with one block: `bench roofline --machine l40 -p direct,size=8b -p direct,size=8b,encoder-context=streaming`.
"""


@dataclass(frozen=True, slots=True)
class EarlyStart:
    """Two systems of one pipeline with language models of the same size."""

    early: str
    waits: str
    differ_in: tuple[str, ...]
    """The options in which they differ."""
    direct: bool
    """Whether both are direct models."""


def early_starts(run: Run, summary: Summary) -> tuple[EarlyStart, ...]:
    """Each system that starts early, and those that wait and differ from it in the fewest options."""
    systems = list(zip(run.manifest.labels, summary.labels, strict=True))
    found: list[EarlyStart] = []
    for plan, label in systems:
        if not starts_early(label):
            continue
        alike = [other for other, of in systems if waits(of) and _same_model((plan, label), (other, of))]
        fewest = min((len(_differ_in(plan, other)) for other in alike), default=0)
        found += (
            EarlyStart(plan.label, other.label, differ, plan.kind == "direct")
            for other in alike
            if len(differ := _differ_in(plan, other)) == fewest
        )
    return tuple(found)


def outlook(run: Run, summary: Summary) -> str:
    """What is predicted for the published size, for runs that compare direct models of another size; else empty."""
    sizes = {label.label: model.parameters for label in summary.labels if (model := language_model(label.weights))}
    found = [each for each in early_starts(run, summary) if each.direct]
    return AT_8B if any((sizes.get(each.early) or 0) < PUBLISHED_SIZE for each in found) else ""


def starts_early(label: LabelSummary) -> bool:
    """Whether a system does a part of its work before the end of speech."""
    return (share := _early_share(label)) is not None and share >= LEAST


def waits(label: LabelSummary) -> bool:
    """Whether a system begins at the end of speech, although speech came as it was spoken."""
    return (share := _early_share(label)) is not None and share < LEAST


def _early_share(label: LabelSummary) -> float | None:
    """None if it is not known."""
    found = label.during_speech
    if found is None:
        return None
    return found.share.value if found.share else 0.0


def _same_model(a: tuple[System, LabelSummary], b: tuple[System, LabelSummary]) -> bool:
    facts = (
        (plan.pipeline, plan.device, plan.dtype, plan.source, model.parameters if model else None)
        for plan, label in (a, b)
        for model in [language_model(label.weights)]
    )
    return len(set(facts)) == 1


def _differ_in(a: System, b: System) -> tuple[str, ...]:
    return tuple(name for name in {**a.options, **b.options} if a.options.get(name) != b.options.get(name))
