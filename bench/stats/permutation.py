"""Seeded permutation tests: how often chance alone would bring what was seen, or more of it.

The p of a sample of permutations is (1 + as extreme) / (1 + drawn), so it is never 0 (Phipson and Smyth, 2010); where
all permutations can be gone through, it is the exact share.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from firstpacket.bench.stats.ranks import average_ranks

PERMUTATIONS = 9_999
SEED = 0
EXACT_CLUSTERS = 13
"""Up to so many clusters all 2^clusters sign patterns are gone through: about as many as are drawn beyond."""

_CELLS = 250_000
"""Permutations times values worked on at once: about what a second-level cache holds."""
_TIES = 1e-9
"""Relative to the largest possible statistic: sums that differ by rounding only are equally extreme."""

Alternative = Literal["two-sided", "greater", "less"]
Score = Literal["value", "rank"]
"""What is added up: the values, or signed ranks, which a single stall cannot rule."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Permuted:
    """What a permutation test found; `exact` where all permutations were gone through."""

    p: float
    permutations: int
    exact: bool


def sign_flip_test(
    differences: Sequence[float],
    clusters: Sequence[Hashable],
    *,
    alternative: Alternative = "two-sided",
    score: Score = "value",
    permutations: int = PERMUTATIONS,
    seed: int = SEED,
) -> Permuted:
    """Whether paired differences lie about zero: either side of a pair may have been either label.

    All differences of a cluster change sign together, since they resemble each other. `value` adds up the differences
    (Fisher, 1935), `rank` their signed ranks (Wilcoxon, 1945; clustered: Rosner, Glynn and Lee, 2006). Differences of
    zero take no part. Exact up to `EXACT_CLUSTERS` clusters.
    Raises `ValueError` without values, or when lengths differ.
    """
    if len(differences) == 0 or len(differences) != len(clusters):
        raise ValueError(f"Differences ({len(differences)}) and clusters ({len(clusters)}) must be as many, and some.")
    sums = _cluster_sums(np.asarray(differences, dtype=np.float64), clusters, score)
    exact = len(sums) <= EXACT_CLUSTERS
    patterns = _all_signs(len(sums)) if exact else _drawn_signs(len(sums), permutations, seed)
    found = np.concatenate([signs @ sums for signs in patterns])
    return _permuted(found, float(sums.sum()), float(np.abs(sums).sum()), alternative, exact)


def stratified_test(
    before: Sequence[float],
    after: Sequence[float],
    strata_before: Sequence[Hashable],
    strata_after: Sequence[Hashable],
    *,
    alternative: Alternative = "two-sided",
    score: Score = "value",
    permutations: int = PERMUTATIONS,
    seed: int = SEED,
) -> Permuted:
    """Whether two samples differ, where only values of one stratum (a clip, a block) may change places.

    Adds up what `after` lies above the mean of its stratum, or above its stratum's mean rank divided by the stratum's
    size plus one (van Elteren, 1960). `greater` means that `after` is larger. A stratum with values of one sample only
    says nothing. Raises `ValueError` if a sample is empty, or when lengths differ.
    """
    if not len(before) or not len(after) or len(before) != len(strata_before) or len(after) != len(strata_after):
        raise ValueError("Each sample needs a value at least, and every value a stratum.")
    strata = _numbers([*strata_before, *strata_after])
    values = np.concatenate([np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)])
    is_after = np.arange(len(values)) >= len(before)
    order = np.lexsort((is_after, values, strata))
    strata, is_after = strata[order], is_after[order]
    scores = _within(values[order], strata, score)
    rng = np.random.default_rng(seed)
    found = [
        scores[_shuffled(strata, rows, rng)][:, is_after].sum(axis=1) for rows in _steps(permutations, len(values))
    ]
    return _permuted(
        np.concatenate(found), float(scores[is_after].sum()), float(np.abs(scores).sum()), alternative, exact=False
    )


def _permuted(found: Floats, seen: float, largest: float, alternative: Alternative, exact: bool) -> Permuted:
    if alternative == "two-sided":
        found, seen = np.abs(found), abs(seen)
    elif alternative == "less":
        found, seen = -found, -seen
    extreme = int(np.count_nonzero(found >= seen - _TIES * largest))
    p = extreme / len(found) if exact else (1 + extreme) / (1 + len(found))
    return Permuted(p, len(found), exact)


def _cluster_sums(differences: Floats, clusters: Sequence[Hashable], score: Score) -> Floats:
    """The sum of every cluster's scores, clusters in the order of their names; those without any are left out."""
    scores = np.zeros_like(differences)
    there = differences != 0
    if score == "rank":
        scores[there] = np.sign(differences[there]) * average_ranks(np.abs(differences[there]))
    else:
        scores = differences
    owner = _numbers(clusters)
    order = np.lexsort((scores, owner))
    sums = np.bincount(owner[order], weights=scores[order])
    kept = sums[np.bincount(owner, weights=there) > 0]
    return np.asarray(kept, dtype=np.float64) if len(kept) else np.zeros(1)


def _all_signs(count: int) -> Iterator[npt.NDArray[np.int8]]:
    patterns = np.arange(2**count)[:, None] >> np.arange(count) & 1
    yield (1 - 2 * patterns).astype(np.int8)


def _drawn_signs(count: int, permutations: int, seed: int) -> Iterator[npt.NDArray[np.int8]]:
    rng = np.random.default_rng(seed)
    for rows in _steps(permutations, count):
        yield (1 - 2 * rng.integers(0, 2, (rows, count), dtype=np.int8)).astype(np.int8)


def _steps(permutations: int, width: int) -> Iterator[int]:
    step = max(1, _CELLS // width)
    for at in range(0, permutations, step):
        yield min(step, permutations - at)


def _shuffled(strata: npt.NDArray[np.intp], rows: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Places of values by row, in random order within every stratum; `strata` ascends."""
    return np.argsort(strata + rng.random((rows, len(strata))), axis=1)


def _within(values: Floats, strata: npt.NDArray[np.intp], score: Score) -> Floats:
    """What every value (or its rank) lies above the mean of its stratum; strata ascend."""
    sizes = np.bincount(strata)
    if score == "rank":
        starts = np.cumsum(sizes) - sizes
        parts = [average_ranks(values[at : at + size]) for at, size in zip(starts, sizes, strict=True)]
        values = np.concatenate(parts) / (sizes[strata] + 1)
    return np.asarray(values - (np.bincount(strata, weights=values) / sizes)[strata])


def _numbers(names: Sequence[Hashable]) -> npt.NDArray[np.intp]:
    """The number of every name, in the order of the names' texts."""
    texts = [str(name) for name in names]
    number = {text: index for index, text in enumerate(sorted(set(texts)))}
    return np.array([number[text] for text in texts], dtype=np.intp)
