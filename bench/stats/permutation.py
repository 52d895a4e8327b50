"""A seeded permutation test: how often chance alone would produce a result at least as extreme."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import numpy as np

from firstpacket.bench.stats.bootstrap import Floats, Numbers, numbered

PERMUTATIONS = 9_999
SEED = 0

_CELLS = 250_000
"""Permutations times values per batch: about the size of a second-level cache."""
_TIES = 1e-9
"""Relative to the largest possible statistic: sums that differ only by rounding count as equally extreme."""


def stratified_test(
    before: Sequence[float],
    after: Sequence[float],
    strata_before: Sequence[Hashable],
    strata_after: Sequence[Hashable],
    *,
    permutations: int = PERMUTATIONS,
    seed: int = SEED,
) -> float:
    """Two-sided p that two samples are alike; values are exchangeable only within a stratum, such as a clip.

    The statistic is the sum, over `after`, of the rank minus the mean rank of its stratum, divided by the stratum's
    size plus one (van Elteren, 1960). Ranks keep a single stall from dominating. A stratum with values of only one
    sample contributes nothing. p is (1 + as extreme) / (1 + drawn), so it is never 0 (Phipson and Smyth, 2010). Raises
    `ValueError` if a sample is empty, or if lengths differ.
    """
    if not len(before) or not len(after) or len(before) != len(strata_before) or len(after) != len(strata_after):
        raise ValueError("Each sample needs a value at least, and every value a stratum.")
    strata = numbered((*strata_before, *strata_after))
    values = np.concatenate([np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)])
    is_after = np.arange(len(values)) >= len(before)
    order = np.lexsort((is_after, values, strata))
    strata, is_after = strata[order], is_after[order]
    scores = _scores(values[order], strata)
    rng = np.random.default_rng(seed)
    found = np.concatenate(
        [scores[_shuffled(strata, rows, rng)][:, is_after].sum(axis=1) for rows in _steps(permutations, len(values))]
    )
    seen, largest = abs(float(scores[is_after].sum())), float(np.abs(scores).sum())
    extreme = int(np.count_nonzero(np.abs(found) >= seen - _TIES * largest))
    return (1 + extreme) / (1 + len(found))


def _steps(permutations: int, width: int) -> Iterator[int]:
    step = max(1, _CELLS // width)
    for at in range(0, permutations, step):
        yield min(step, permutations - at)


def _shuffled(strata: Numbers, rows: int, rng: np.random.Generator) -> Numbers:
    """Indices of values by row, in random order within every stratum; `strata` ascends."""
    return np.argsort(strata + rng.random((rows, len(strata))), axis=1)


def _scores(values: Floats, strata: Numbers) -> Floats:
    """Every value's rank minus the mean of its stratum, divided by the stratum's size plus one; strata ascend."""
    sizes = np.bincount(strata)
    starts = np.cumsum(sizes) - sizes
    parts = [average_ranks(values[at : at + size]) for at, size in zip(starts, sizes, strict=True)]
    ranks = np.concatenate(parts) / (sizes[strata] + 1)
    return np.asarray(ranks - (np.bincount(strata, weights=ranks) / sizes)[strata])


def average_ranks(values: Floats) -> Floats:
    """The rank of every value from 1, `(n,)`, with mean ranks for ties; NaN is not allowed.

    As `scipy.stats.rankdata`, which takes longer to import than most commands run.
    """
    _, place, ties = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(ties) - (ties - 1) / 2)[place], dtype=np.float64)
