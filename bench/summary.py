"""A run's turns → what they say of each label: figures with intervals, outcomes, the critical path, the cold start.

Figures come from the answered turns of phase `measured`; the others are counted as missing, by outcome. Times are
milliseconds here (the record keeps nanoseconds).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from bench.errors import RunError
from bench.metrics.definitions import HEADLINE, TURN_METRICS, Metric, metric
from bench.metrics.figures import FALSE_ENDPOINT
from bench.pipeline import Weights
from bench.record.schema import LabelPlan, Outcome, Phase, Turn
from bench.record.store import Run
from bench.stats.bootstrap import Estimate, estimate
from bench.stats.quantiles import Quantile, censored_quantile, supported_quantile
from bench.tax import Tax, tax

PHASES: tuple[Phase, ...] = get_args(Phase)
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
PERCENTILES = {"p90": 0.90, "p95": 0.95, "p99": 0.99}
ANSWERS = (HEADLINE, "response_latency", "gapless_first_audio")
"""Metrics that are the moment of an answer: one that never comes is infinitely late."""
DEFICIT_LIMITS_MS = (50, 100, 200)
KINDS = ("queued", "launch", "host", "gpu", "unattributed")
"""Kinds of a path's parts in the order in which a stage is usually gone through."""
NS_PER_MS = 1_000_000

Unit = Literal["ms", "ratio", "count"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric of one label over its measured turns, in `unit`; `missing` counts turns without it, by outcome."""

    metric: str
    title: str
    unit: Unit
    version: int
    n: int
    missing: dict[str, int]
    p50: Estimate | None
    mean: float | None
    percentiles: dict[str, Quantile]
    counting_all: dict[str, Quantile] = field(default_factory=dict)
    """Of the moments of an answer: the same and p50, where a turn that was not answered is infinitely late."""

    @property
    def n_missing(self) -> int:
        """Measured turns in which the metric is absent."""
        return sum(self.missing.values())


@dataclass(frozen=True, slots=True)
class PathMean:
    """A part of the critical path: what `stage` contributed in the way `kind`, mean over the turns, ms."""

    stage: str
    role: str
    kind: str
    ms: float


@dataclass(frozen=True, slots=True)
class Path:
    """The mean critical path to the first packet over the `n` turns that have one; the parts add up to `total_ms`."""

    n: int
    total_ms: float
    parts: tuple[PathMean, ...]


@dataclass(frozen=True, slots=True)
class Cold:
    """What came before the measured turns: loading, once per segment, and the first packet of cold turns."""

    load_ms: tuple[float, ...]
    first_turn_ms: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class LabelSummary:
    """Everything a run says of one label."""

    label: str
    pipeline: str
    device: str
    dtype: str
    asked: int
    weights: tuple[Weights, ...]
    outcomes: dict[Phase, dict[Outcome, int]]
    figures: dict[str, Figure]
    path: Path
    hidden_ms: dict[str, float]
    cold: Cold
    flags: dict[str, int]
    tax: Tax | None
    continuity: dict[str, float | None]
    """C50, C100, C200: share of the answered replies of several packets whose worst deficit stays within so many ms."""

    @property
    def measured(self) -> int:
        """Measured turns on record, whatever their outcome."""
        return sum(self.outcomes["measured"].values())

    @property
    def audible_share(self) -> float | None:
        """Share of the measured turns in which something was heard; None without measured turns."""
        heard = self.figures["response_latency"].n
        return heard / self.measured if self.measured else None

    @property
    def false_endpoints(self) -> int:
        """Measured turns in which the user was taken to have finished too early."""
        return self.flags.get(FALSE_ENDPOINT, 0)

    @property
    def dummy(self) -> bool:
        """Whether any weights are random values: then only times mean something."""
        return any(weights.origin == "dummy" for weights in self.weights)


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything a run says, label by label."""

    run: str
    created: str
    input: str
    t0: str
    seed: int
    corpus: str
    corpus_sha256: str
    notices: tuple[str, ...]
    labels: tuple[LabelSummary, ...]


def summarise(run: Run) -> Summary:
    """What a run says. Raises `RunError` if a turn holds a figure that has no definition."""
    manifest = run.manifest
    return Summary(
        run=manifest.run,
        created=manifest.created,
        input=manifest.input,
        t0=manifest.t0,
        seed=manifest.seed,
        corpus=manifest.corpus,
        corpus_sha256=manifest.corpus_sha256,
        notices=manifest.notices + run.notices,
        labels=tuple(_label(run, plan) for plan in manifest.labels),
    )


def label_weights(run: Run, label: str) -> tuple[Weights, ...]:
    """All weights a label used in any segment, each once."""
    facts = [facts for segment in run.segments for facts in segment.labels if facts.label == label]
    return tuple(dict.fromkeys(weights for each in facts for weights in each.weights))


def measured_turns(run: Run, label: str) -> list[Turn]:
    """A label's turns of phase `measured`, in the order of the record."""
    return [turn for turn in run.turns if turn.label == label and turn.phase == "measured"]


def definition(name: str) -> Metric:
    """A metric's definition. Raises `RunError` for a name this version does not know."""
    try:
        return metric(name)
    except KeyError:
        raise RunError(
            f"The run holds the figure '{name}', which this version does not define. "
            "Read the run with the version that wrote it, or a newer one."
        ) from None


def shown_value(turn: Turn, known: Metric) -> float | None:
    """A turn's figure in the unit that summaries show (ns become ms); None where the turn has none.

    Only an answered turn has figures to show: packets of silence, or packets before a failure, are no answer.
    """
    value = turn.figures.get(known.name) if turn.outcome == "answered" else None
    if value is None:
        return None
    return value / NS_PER_MS if known.unit == "ns" else float(value)


def shown_unit(known: Metric) -> Unit:
    """The unit that summaries show a metric in."""
    return "ms" if known.unit == "ns" else known.unit


def _label(run: Run, plan: LabelPlan) -> LabelSummary:
    turns = [turn for turn in run.turns if turn.label == plan.label]
    measured = [turn for turn in turns if turn.phase == "measured"]
    on_path = [turn for turn in measured if turn.path and turn.outcome == "answered"]
    return LabelSummary(
        label=plan.label,
        pipeline=plan.pipeline,
        device=plan.device,
        dtype=plan.dtype,
        asked=run.manifest.turns,
        weights=label_weights(run, plan.label),
        outcomes=_outcomes(turns),
        figures={name: _figure(definition(name), measured) for name in _metric_names(measured)},
        path=_path(on_path, plan),
        hidden_ms=_hidden(on_path),
        cold=_cold(run, plan.label, turns),
        tax=tax(run, plan.label, [turn for turn in measured if turn.outcome == "answered"]),
        flags=dict(sorted(Counter(flag for turn in measured for flag in turn.flags).items())),
        continuity=_continuity(measured),
    )


def _metric_names(turns: Iterable[Turn]) -> list[str]:
    """The headline, the audible latency and whatever else any turn has, in the order of the definitions."""
    found = {name for turn in turns for name in turn.figures} | {HEADLINE, "response_latency"}
    listed = [known.name for known in TURN_METRICS if known.name in found]
    return listed + sorted(found.difference(listed))


def _figure(known: Metric, turns: Sequence[Turn]) -> Figure:
    values, clips, missing = [], [], Counter[str]()
    for turn in turns:
        value = shown_value(turn, known)
        if value is None:
            missing[turn.outcome] += 1
        else:
            values.append(value)
            clips.append(turn.utterance)
    return Figure(
        metric=known.name,
        title=known.title,
        unit=shown_unit(known),
        version=known.version,
        n=len(values),
        missing=dict(sorted(missing.items())),
        p50=estimate(values, clips) if values else None,
        mean=sum(values) / len(values) if values else None,
        percentiles={name: supported_quantile(values, q) for name, q in PERCENTILES.items()},
        counting_all=_counting_all(values, missing.total()) if known.name in ANSWERS else {},
    )


def _counting_all(values: Sequence[float], unanswered: int) -> dict[str, Quantile]:
    return {name: censored_quantile(values, unanswered, q) for name, q in ({"p50": 0.5} | PERCENTILES).items()}


def _continuity(turns: Sequence[Turn]) -> dict[str, float | None]:
    """A reply of one packet cannot stall, so it says nothing; None where no other was given."""
    deficits = [shown_value(turn, definition("underrun_max")) for turn in turns]
    known = [deficit for deficit in deficits if deficit is not None]
    return {
        f"C{limit}": sum(deficit <= limit for deficit in known) / len(known) if known else None
        for limit in DEFICIT_LIMITS_MS
    }


def _outcomes(turns: Iterable[Turn]) -> dict[Phase, dict[Outcome, int]]:
    counted = Counter((turn.phase, turn.outcome) for turn in turns)
    return {phase: {outcome: counted[phase, outcome] for outcome in OUTCOMES} for phase in PHASES}


def _path(turns: Sequence[Turn], plan: LabelPlan) -> Path:
    """Totals stay integers until the one division, so that nothing is lost on the way."""
    totals: Counter[tuple[str, str]] = Counter()
    for turn in turns:
        for part in turn.path:
            totals[part.stage, part.kind] += part.ns
    roles = {stage.id: stage.role for stage in plan.stages}
    divisor = max(1, len(turns)) * NS_PER_MS
    order = _path_order(plan, totals)
    parts = tuple(PathMean(stage, roles.get(stage, ""), kind, totals[stage, kind] / divisor) for stage, kind in order)
    return Path(len(turns), sum(totals.values()) / divisor, parts)


def _path_order(plan: LabelPlan, owners: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Stages as declared, owners that are no stage last; within a stage: what it waited for, then what it did."""
    stages = [stage.id for stage in plan.stages]

    def place(owner: tuple[str, str]) -> tuple[int, str, int]:
        stage, kind = owner
        return stages.index(stage) if stage in stages else len(stages), stage, KINDS.index(kind)

    return sorted(owners, key=place)


def _hidden(turns: Sequence[Turn]) -> dict[str, float]:
    totals: Counter[str] = Counter()
    for turn in turns:
        totals.update(turn.hidden)
    return {stage: total / len(turns) / NS_PER_MS for stage, total in totals.items()}


def _cold(run: Run, label: str, turns: Iterable[Turn]) -> Cold:
    loads = [facts.load_ns for segment in run.segments for facts in segment.labels if facts.label == label]
    firsts = [turn.figures[HEADLINE] for turn in turns if turn.phase == "cold" and HEADLINE in turn.figures]
    return Cold(tuple(ns / NS_PER_MS for ns in loads), tuple(ns / NS_PER_MS for ns in firsts))
