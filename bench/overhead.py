"""Upper bound on what the instrumentation adds to a system's first packet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from firstpacket.bench.metrics.definitions import HEADLINE
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.quantiles import median

RECORDINGS = "recordings"


@dataclass(frozen=True, slots=True)
class Overhead:
    """An upper bound: cost of the most expensive recording x all recordings between t0 and the first packet, over
    all threads.

    `share` is that over the first-packet latency, in the median turn; `largest_share` in the worst one.
    """

    event_cost_us: float
    recordings: float
    """In the median turn."""
    share: float
    largest_share: float


def overhead(run: Run, label: str, answered: Sequence[Turn]) -> Overhead | None:
    """The bound for a system's answered turns; None if no cost was measured, or nothing was answered after t0."""
    costs = [each.event_cost_ns for segment in run.segments for each in segment.labels if each.label == label]
    waited = [turn for turn in answered if turn.figures.get(HEADLINE, 0) > 0 and RECORDINGS in turn.figures]
    if not waited or not any(costs):
        return None
    counts = [turn.figures[RECORDINGS] for turn in waited]
    shares = [max(costs) * n / turn.figures[HEADLINE] for n, turn in zip(counts, waited, strict=True)]
    return Overhead(max(costs) / 1000, median(counts), median(shares), max(shares))
