"""The parts of a run that the claims are tested on: its cascades and direct models, and every pair of the two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from firstpacket.bench.analysis.early_start import EarlyStart, early_starts, outlook
from firstpacket.bench.analysis.sweeps import Sweep
from firstpacket.bench.compare.comparison import Comparison, matched
from firstpacket.bench.compare.conditions import language_model, machine
from firstpacket.bench.compare.within import compare_labels
from firstpacket.bench.metrics.definitions import FIRST_AUDIBLE, HEADLINE
from firstpacket.bench.pipeline import Weights
from firstpacket.bench.record.schema import System, Turn
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.binomial import Share, share
from firstpacket.bench.stats.bootstrap import Estimate
from firstpacket.bench.stats.ratio import ratio_of_sums
from firstpacket.bench.summary.contents import LabelSummary, Summary
from firstpacket.bench.summary.values import started
from firstpacket.bench.vocabulary import Architecture

ALIKE = 0.05
"""Sizes of two language models that differ by at most this share are the same size."""


@dataclass(frozen=True, slots=True)
class Model:
    """A system that is a cascade or a direct model, with the figures that the claims need."""

    summary: LabelSummary
    plan: System
    kind: Architecture
    beside_llm: Estimate | None
    """Share of the mean critical path that belongs to stages other than the language model's; None for a black box."""
    of_no_stage: float | None
    """Share that belongs to no stage."""
    right_if_heard: Share | None = None
    """Share of correct answers among turns with an exact transcript; None if no such answer can be judged."""
    right_if_misheard: Share | None = None
    """The same among turns with a transcript that has an error."""

    @property
    def label(self) -> str:
        """Its name in the run."""
        return self.summary.label

    @property
    def llm(self) -> Weights | None:
        """Its language model; None if no weights are declared as one, or its size is unknown."""
        return language_model(self.summary.weights)

    @property
    def named(self) -> str:
        """Its name and the size of its language model, for sentences."""
        return f"{self.label} ({f'LLM of {self.llm.size}' if self.llm else 'LLM of unknown size'})"

    @property
    def llm_start(self) -> Estimate | None:
        """When the language model starts, ms after the end of speech; median."""
        found = self.summary.figures.get("llm_start")
        return found.p50 if found else None

    @property
    def llm_parameters(self) -> int:
        """Size of its language model; 0 if unknown."""
        return (self.llm.parameters if self.llm else None) or 0


@dataclass(frozen=True, slots=True)
class DirectVsCascade:
    """A direct model against a cascade, turn by turn; a negative difference means that the direct model is faster."""

    cascade: Model
    direct: Model
    headline: Comparison
    audible: Comparison
    fair: bool
    """Whether the language models are alike: made so (`--matched`), or trained or published ones of one size."""


@dataclass(frozen=True, slots=True)
class EarlyVsWaiting:
    """A system that starts early against one that waits, turn by turn."""

    systems: EarlyStart
    headline: Comparison
    audible: Comparison | None
    """None if turns ended after their first packet."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything in a run that the claims are tested on."""

    models: tuple[Model, ...]
    comparisons: tuple[DirectVsCascade, ...]
    early: tuple[EarlyVsWaiting, ...]
    sweeps: tuple[Sweep, ...]
    input: str
    gpu: str
    """Name of the GPU; empty without one."""
    machine: str
    """What the models ran on; empty if unknown."""
    outlook: str
    """What is predicted of early starts at the published size; empty where that does not matter."""

    def needed(self, what: str) -> str:
        """What a claim needs that the run lacks; if the run has black boxes, also that these do not count."""
        remote = ", ".join(model.label for model in self.models if model.kind == "remote")
        return f"{what}; {remote} cannot be looked into, and may be either" if remote else what

    def of_kind(self, kind: Architecture) -> tuple[Model, ...]:
        """The models of this kind, in the order of the run."""
        return tuple(model for model in self.models if model.kind == kind)


def contest(summary: Summary) -> tuple[str, str] | None:
    """The pair for the project's question: the cascade with the smallest mean, and the first direct model."""
    kinds = [(kind_of(label), label) for label in summary.labels if label.path.n]
    direct = [label.label for kind, label in kinds if kind == "direct"]
    cascades = [(label.path.total_ms, label.label) for kind, label in kinds if kind == "cascade"]
    return (min(cascades)[1], direct[0]) if direct and cascades else None


def facts(run: Run, summary: Summary, sweeps: tuple[Sweep, ...]) -> Facts:
    """Read from a run that is valid, and its summary."""
    models = tuple(_models(run, summary))
    known = {model.label for model in models if model.kind in ("cascade", "direct")}
    pairs = [(a, b) for a in models if a.kind == "cascade" for b in models if b.kind == "direct"]
    environments = [segment.environment for segment in run.segments]
    gpus = dict.fromkeys(str(each["gpu0"]) for each in environments if each.get("gpu0"))
    on_gpu = any(model.plan.device.startswith("cuda") for model in models)
    return Facts(
        models,
        tuple(_compared(run, *pair) for pair in pairs),
        tuple(_early(run, each) for each in early_starts(run, summary) if each.early in known),
        sweeps,
        summary.input,
        ", ".join(gpus) if on_gpu else "",
        machine(run, run.labels),
        outlook(run, summary),
    )


def _models(run: Run, summary: Summary) -> Iterator[Model]:
    for label, plan in zip(summary.labels, run.manifest.labels, strict=True):
        turns = [turn for turn in run.measured(plan.label) if turn.is_answered and started(turn)]
        yield Model(
            label,
            plan,
            kind_of(label),
            None if plan.is_black_box else _beside_llm(turns, plan),
            _of_no_stage(label),
            _right(turns, heard=True),
            _right(turns, heard=False),
        )


def kind_of(label: LabelSummary) -> Architecture:
    """As its pipeline declares; one without weights (a script, a mock) is no model, and is evidence for no claim."""
    unknown = label.kind != "remote" and all(weights.origin == "none" for weights in label.weights)
    return "other" if unknown else label.kind


def _beside_llm(turns: Sequence[Turn], plan: System) -> Estimate | None:
    others_than_llm = {stage.id for stage in plan.stages if stage.kind != "llm"}
    having = [turn for turn in turns if sum(part.ns for part in turn.path) > 0]
    if not having:
        return None
    totals = [float(sum(part.ns for part in turn.path)) for turn in having]
    others = [float(sum(p.ns for p in turn.path if p.stage in others_than_llm)) for turn in having]
    return ratio_of_sums(others, totals, [turn.utterance for turn in having])


def _of_no_stage(label: LabelSummary) -> float | None:
    if not label.path.total_ms:
        return None
    nobody = label.path.roles.get("")
    return nobody.value / label.path.total_ms if nobody else 0.0


def _right(turns: Sequence[Turn], *, heard: bool) -> Share | None:
    judged = [turn for turn in turns if {"answer_accuracy", "transcript_wer"} <= turn.figures.keys()]
    some = [turn for turn in judged if (turn.figures["transcript_wer"] == 0) == heard]
    if not some:
        return None
    return share([turn.figures["answer_accuracy"] == 1 for turn in some], [turn.utterance for turn in some])


def _compared(run: Run, cascade: Model, direct: Model) -> DirectVsCascade:
    names = (cascade.label, direct.label)
    headline, audible = (compare_labels(run, *names, metric) for metric in (HEADLINE, FIRST_AUDIBLE))
    return DirectVsCascade(cascade, direct, headline, audible, matched(run, names) or _alike(cascade, direct))


def _early(run: Run, systems: EarlyStart) -> EarlyVsWaiting:
    names = (systems.waits, systems.early)
    audible = None if run.manifest.leaves_early else compare_labels(run, *names, FIRST_AUDIBLE)
    return EarlyVsWaiting(systems, compare_labels(run, *names, HEADLINE), audible)


def _alike(a: Model, b: Model) -> bool:
    if a.summary.dummy or b.summary.dummy or not (a.llm_parameters and b.llm_parameters):
        return False
    return abs(a.llm_parameters - b.llm_parameters) <= ALIKE * max(a.llm_parameters, b.llm_parameters)
