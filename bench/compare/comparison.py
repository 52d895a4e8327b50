"""A comparison: `other` against `base` on one metric, from paired values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from firstpacket.bench.compare.pairs import Pairs
from firstpacket.bench.contract import computed
from firstpacket.bench.errors import UnknownName
from firstpacket.bench.metrics.definitions import TURN_METRICS, Metric
from firstpacket.bench.metrics.definitions import metric as metric_by_name
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.bootstrap import SAMPLING, Estimate, Sampling
from firstpacket.bench.stats.paired import paired_difference, paired_ratio
from firstpacket.bench.summary.contents import Unit
from firstpacket.bench.summary.values import label_weights, shown_unit

Pairing = Literal["turn", "clip"]
Finding = Literal["less", "more", "undecided", "too few"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`other` against `base` on one metric: `other - base`, in `unit`; a negative difference means less."""

    metric: str
    title: str
    unit: Unit
    base: str
    other: str
    pairing: Pairing
    difference: Estimate | None
    """Median of the paired differences; None without any pair."""
    ratio: Estimate | None
    """Exponential of the median paired log ratio, `other / base`; None without pairs or if a value is not positive."""
    dropped: dict[str, int]
    """Dropped pairs, by reason."""
    dummy: bool
    matched: bool = False
    """Whether one label was matched with the other (`--matched`)."""
    band: float | None = None
    """Between runs: the A/A band, as a share, by which the intervals were widened."""
    allowed_mismatches: tuple[str, ...] = ()
    """Mismatches that were allowed by name."""

    @computed
    def pairs(self) -> int:
        """Number of pairs compared."""
        return self.difference.n if self.difference else 0

    @computed
    def clips(self) -> int:
        """Number of clips that the pairs come from."""
        return self.difference.clusters if self.difference else 0

    @computed
    def finding(self) -> Finding:
        """The verdict from the interval of the difference."""
        if self.difference is None or self.difference.interval is None:
            return "too few"
        if self.difference.interval.contains(0.0):
            return "undecided"
        return "less" if self.difference.value < 0 else "more"


def comparison(
    known: Metric,
    names: tuple[str, str],
    pairs: Pairs,
    pairing: Pairing,
    *,
    dummy: bool,
    matched: bool = False,
    sampling: Sampling = SAMPLING,
) -> Comparison:
    """The second of `names` against the first, from their pairs."""
    difference = ratio = None
    if pairs.before:
        blocks = pairs.blocks or None
        sides = (pairs.before, pairs.after, pairs.clips)
        difference = paired_difference(*sides, blocks=blocks, sampling=sampling)
        ratio = paired_ratio(*sides, blocks=blocks, sampling=sampling)
    return Comparison(
        metric=known.name,
        title=known.title,
        unit=shown_unit(known),
        base=names[0],
        other=names[1],
        pairing=pairing,
        difference=difference,
        ratio=ratio,
        dropped=pairs.dropped,
        dummy=dummy,
        matched=matched,
    )


def requested_metric(name: str) -> Metric:
    """A metric's definition by the name that a user gave. Raises `UnknownName`."""
    try:
        return metric_by_name(name)
    except KeyError:
        known = [known.name for known in TURN_METRICS]
        raise UnknownName("metric", name, known, "Of a stage: stage.STAGE.host, stage.STAGE.gpu.") from None


def any_dummy(sides: Sequence[tuple[Run, str]]) -> bool:
    """Whether any label ran on random weights, so that only times are meaningful."""
    return any(weights.origin == "dummy" for run, label in sides for weights in label_weights(run, label))


def matched(run: Run, labels: Sequence[str]) -> bool:
    """Whether their models are alike: each was matched, or is the direct pipeline they were matched with, which lacks
    the option; or they are systems of one pipeline without that option, with the same weights."""
    plans = [plan for plan in run.manifest.labels if plan.label in labels]
    values = {plan.options.get("matched") for plan in plans}
    if values == {None}:
        same_pipeline = len({(plan.pipeline, plan.kind) for plan in plans}) == 1
        return same_pipeline and len({label_weights(run, label) for label in labels}) == 1
    return True in values and False not in values
