"""Whether replies are fast enough for conversation: shares of the turns within bounds from the literature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from firstpacket.bench.metrics.definitions import FIRST_AUDIBLE
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.record.store import Run
from firstpacket.bench.stats.binomial import Share, share
from firstpacket.bench.summary.values import definition, shown_value

METHOD = "exact intervals (Clopper and Pearson, 1934); all turns of a clip together count as one observation"


@dataclass(frozen=True, slots=True)
class Bound:
    """A wait in ms, and the reason for this value."""

    ms: int
    why: str
    source: str


BOUNDS = (
    Bound(
        200,
        "typical of people: the mean gap before an answer is 208 ms across ten languages",
        "Stivers et al. (2009), Universals and cultural variation in turn-taking in conversation, PNAS 106(26)",
    ),
    Bound(
        500,
        "a convention: the silence after which a common speech service ends a turn by default",
        "server_vad of OpenAI's Realtime API, silence_duration_ms",
    ),
    Bound(
        800,
        "listeners judge the answerer as less willing: their ratings fall between gaps of 700 and 800 ms",
        "Roberts and Francis (2013), Identifying a temporal threshold of tolerance for silent gaps after requests, "
        "JASA 133(6)",
    ),
)


@dataclass(frozen=True, slots=True)
class LatencyShares:
    """Shares of all measured turns that were audible within each of the bounds (ms), by label."""

    labels: dict[str, dict[int, Share]]
    bounds: tuple[Bound, ...] = BOUNDS
    metric: str = FIRST_AUDIBLE
    """The bounds are about what a listener hears, so they apply to audible sound."""
    method: str = METHOD


def latency_shares(run: Run) -> LatencyShares:
    """Of every label of a run."""
    return LatencyShares({label: shares_under(run.measured(label)) for label in run.labels})


def shares_under(turns: Sequence[Turn]) -> dict[int, Share]:
    """By bound in ms: the share of a system's measured turns that were audible within it.

    Empty without turns, and if turns ended after their first packet. A turn without an answer, or without anything
    audible, counts as later than any bound.
    """
    if not turns or any(turn.left_early for turn in turns):
        return {}
    known = definition(FIRST_AUDIBLE)
    waits = [shown_value(turn, known) for turn in turns]
    clips = [turn.utterance for turn in turns]
    return {bound.ms: share([wait is not None and wait <= bound.ms for wait in waits], clips) for bound in BOUNDS}
