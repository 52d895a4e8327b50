"""The contents of a summary. Times are milliseconds here (the record keeps nanoseconds)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal, get_args

from firstpacket.bench.contract import Keyed, computed
from firstpacket.bench.metrics.definitions import FIRST_AUDIBLE
from firstpacket.bench.metrics.server import Server
from firstpacket.bench.overhead import Overhead
from firstpacket.bench.pipeline import Stage, Weights
from firstpacket.bench.quality.findings import LabelQuality
from firstpacket.bench.record.schema import Phase
from firstpacket.bench.stats.bootstrap import MIN_CLUSTERS, SAMPLING, Estimate, Sampling
from firstpacket.bench.stats.quantiles import INTERPOLATION, Quantile
from firstpacket.bench.summary.gpu import LabelGpu
from firstpacket.bench.summary.licences import Licence
from firstpacket.bench.summary.microphone import Microphone
from firstpacket.bench.summary.stopping import StoppingResult
from firstpacket.bench.summary.warmth import LabelWarmth
from firstpacket.bench.vocabulary import Architecture, Flag, Outcome

PHASES: tuple[Phase, ...] = get_args(Phase)

Unit = Literal["ms", "ratio", "count", "dB", "per_s", "J"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric of one system over its measured turns, in `unit`; `missing` counts turns without it, by outcome."""

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
    """For metrics that time an answer: the same and p50, with turns without an answer as infinitely late."""

    @computed
    def n_missing(self) -> int:
        """Measured turns in which the metric is absent."""
        return sum(self.missing.values())


@dataclass(frozen=True, slots=True)
class PathMean:
    """A part of the critical path: the time of `stage` of the kind `kind`, mean over the turns, ms."""

    stage: str
    role: str
    kind: str
    mean: Estimate


@dataclass(frozen=True, slots=True)
class Path:
    """The mean critical path to the first packet over the `n` turns that have one, ms.

    The parts' means add up to that of `total` (None without turns), and so do those of `roles`; time of no stage
    has an empty role.
    """

    n: int
    total: Estimate | None
    parts: tuple[PathMean, ...]
    roles: dict[str, Estimate]

    @property
    def total_ms(self) -> float:
        """0 without turns."""
        return self.total.value if self.total else 0.0


@dataclass(frozen=True, slots=True)
class DuringSpeech:
    """Work before the end of the user's speech: means over the turns of the path, ms."""

    total: Estimate
    """Time in which any stage worked; stages that work at once count once."""
    stages: dict[str, Estimate]
    """Only stages that worked in any of the turns."""
    share: Estimate | None
    """`total` divided by itself and the work on the path: how much of the work nobody waits for. None without work."""


@dataclass(frozen=True, slots=True)
class Cold:
    """Before the measured turns: loading, once per segment, and the first packet of cold turns."""

    load_ms: tuple[float, ...]
    first_turn_ms: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Reason:
    """Measured turns with one outcome other than `answered`, and one reason; it is empty if none was given."""

    outcome: Outcome
    reason: str
    turns: int


@dataclass(frozen=True, slots=True)
class LabelSummary:
    """Everything a run says about one system."""

    label: str
    pipeline: str
    kind: Architecture
    is_black_box: bool
    """Whether it, or a part of it, cannot be looked into."""
    stages: tuple[Stage, ...]
    device: str
    dtype: str
    planned: int
    """Measured turns that were to be run."""
    weights: tuple[Weights, ...]
    outcomes: dict[Phase, dict[Outcome, int]]
    figures: dict[str, Figure]
    path: Path
    hidden: dict[str, Estimate]
    during_speech: DuringSpeech | None
    """None with file input, and for runs from before it was measured."""
    cold: Cold
    flags: dict[Flag, int]
    """Measured turns by flag."""
    instrument: Overhead | None
    """None if the measurement overhead was not measured."""
    continuity: dict[str, float | None]
    """C50, C100, C200: share of answered replies of several packets whose worst deficit is at most 50, 100, 200 ms."""
    quality: LabelQuality
    warmth: LabelWarmth
    gpu: LabelGpu | None
    server: Server | None
    """None for a system without a server."""
    reasons: tuple[Reason, ...]
    """Why measured turns have no answer, the most frequent ones first."""

    @property
    def measured(self) -> int:
        """Measured turns on record, whatever their outcome."""
        return sum(self.outcomes["measured"].values())

    @computed
    def audible_share(self) -> float | None:
        """Share of the measured turns with audible sound; None without any, or if they ended early."""
        heard = self.figures[FIRST_AUDIBLE].n
        return heard / self.measured if self.measured and not self.left_early else None

    @property
    def left_early(self) -> bool:
        """Whether its turns ended after their first packet: what needs whole replies is then unknown."""
        return Flag.LEFT_EARLY in self.flags

    @property
    def false_endpoints(self) -> int:
        """Measured turns in which the end of the user's turn was detected too early."""
        return self.flags.get(Flag.FALSE_ENDPOINT, 0)

    @property
    def dummy(self) -> bool:
        """Whether any weights are random values: then only times are meaningful."""
        return any(weights.origin == "dummy" for weights in self.weights)


@dataclass(frozen=True, slots=True)
class Method:
    """How intervals (unless stated otherwise) and quantiles are computed."""

    interval: str = "expanded percentile bootstrap over clips"
    sampling: Sampling = SAMPLING
    needs_clips: int = MIN_CLUSTERS
    interpolation: str = INTERPOLATION


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything a run says, system by system."""

    run: str
    created: str
    input: str
    t0: str
    seed: int
    corpus: str
    corpus_sha256: str
    notices: tuple[str, ...]
    labels: Annotated[tuple[LabelSummary, ...], Keyed("label")]
    microphone: Microphone | None = None
    """How late the user's speech came; `None` with file input."""
    stopping: StoppingResult | None = None
    """The result of `--precision`; `None` for a fixed number of turns."""

    licences: tuple[Licence, ...] = ()
    """Of the recordings, most clips first; empty if the corpus names none."""
    method: Method = Method()
    """How its intervals and quantiles were computed."""

    @computed
    def valid(self) -> bool:
        """Whether its figures can be used."""
        return not self.invalid

    @computed
    def invalid(self) -> tuple[str, ...]:
        """Why the run's figures must not be used; empty if they can be."""
        return self.microphone.invalid if self.microphone is not None else ()
