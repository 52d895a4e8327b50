"""Whether the first measured turns differ from the rest: because warm-up was too short, or the machine drifted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from firstpacket.bench.contract import computed
from firstpacket.bench.metrics.latency import comparable_ms
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.stats.bootstrap import Estimate, estimate
from firstpacket.bench.stats.permutation import stratified_test

ALPHA = 0.01
SHARE = 5
"""The beginning is the first of this many parts of the turns."""
MIN_TURNS = 20
MAX_TURNS = 1_000
"""Turns after this many are not part of the beginning."""
PERMUTATIONS = 1_999
NOTABLE = 0.05
"""Differences below this share of the later median are negligible."""


@dataclass(frozen=True, slots=True)
class Drift:
    """The first `early` answered turns of a system against its `later` ones; `excess` of the early ones, ms."""

    early: int
    later: int
    excess: Estimate
    later_ms: float
    """Median of the later turns."""
    p: float
    by_clip: bool
    """Whether turns of the same clip were compared; otherwise the random order of the clips has to balance them."""

    @computed
    def notable(self) -> bool:
        """Whether it is neither chance nor negligible."""
        return self.p <= ALPHA and abs(self.excess.value) > NOTABLE * abs(self.later_ms)


def early_drift(turns: Sequence[Turn]) -> Drift | None:
    """The beginning of a label's measured turns (in the order of the record) against the rest.

    `None` with fewer than `MIN_TURNS` answered; of more than `MAX_TURNS`, the first are looked at.

    Two-sided permutation test on ranks (van Elteren, 1960), within clips where most early turns have later ones of
    their clip, else over all turns: each clip's place in the order is drawn by chance.
    """
    answered = [(turn.utterance, value) for turn in turns if (value := comparable_ms(turn)) is not None][:MAX_TURNS]
    if len(answered) < MIN_TURNS:
        return None
    cut = len(answered) // SHARE
    early, later = answered[:cut], answered[cut:]
    usual: dict[str, list[float]] = defaultdict(list)
    for clip, value in later:
        usual[clip].append(value)
    by_clip = 2 * sum(clip in usual for clip, _ in early) > len(early)
    if by_clip:
        early = [(clip, value) for clip, value in early if clip in usual]
    later_ms = median(value for _, value in later)
    expected = {clip: median(values) for clip, values in usual.items()} if by_clip else {}
    p = stratified_test(
        [value for _, value in later],
        [value for _, value in early],
        [clip if by_clip else "" for clip, _ in later],
        [clip if by_clip else "" for clip, _ in early],
        permutations=PERMUTATIONS,
    )
    excess = estimate([value - expected.get(clip, later_ms) for clip, value in early], [clip for clip, _ in early])
    return Drift(len(early), len(later), excess, later_ms, p, by_clip)
