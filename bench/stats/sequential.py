"""Checking an interval repeatedly until it is narrow enough, with valid coverage.

Stopping as soon as a 95 % interval happens to be narrow covers the true value in fewer than 95 % of cases, because an
interval is most often too narrow where it is wrong. So the checks are planned in advance, after numbers of blocks that
double, and the total error of 5 % is spent on them in equal parts: each of K checks uses an interval at the level
1 - 0.05 / K, and the final interval of a run is that wider one. By Bonferroni's inequality, the intervals of all K
checks contain the true value together in at least 95 % of cases, whatever the reason for stopping and however the
checks depend on each other. They do depend: they share all earlier turns and the clips themselves, so the narrower
boundaries that need independent increments (Lan and DeMets, 1983, Biometrika 70) do not apply. This is their error
spending with a function that grows by the same amount at every check (section 2 there). That checks at geometrically
growing sample sizes cost little is shown by Howard, Ramdas, McAuliffe and Sekhon, 2021, Annals of Statistics 49,
section 3. tests/benchmarks/test_precision_coverage.py measures the coverage.
"""

from __future__ import annotations

import math

from firstpacket.bench.stats.bootstrap import LEVEL, MIN_CLUSTERS, SAMPLING, Sampling

CHECK_RESAMPLES = 10_000
"""More than elsewhere: the level of a check is beyond 95 %, and a small number of resamples has few values there."""


def checkpoints(most: int) -> tuple[int, ...]:
    """The numbers of blocks after which to check: 1, 2, 4, ... up to two thirds of `most`, then `most`.

    Raises `ValueError` below 1.
    """
    if most < 1:
        raise ValueError("There must be at least one block.")
    doubled = (2**power for power in range(most.bit_length()))
    return (*(number for number in doubled if 3 * number <= 2 * most), most)


def check_level(most: int) -> float:
    """The level of each check's interval with at most `most` blocks: 1 - (1 - `LEVEL`) / K for K checks."""
    return 1 - (1 - LEVEL) / len(checkpoints(most))


def sampling_of(most: int | None) -> Sampling:
    """The sampling of intervals with checks up to `most` blocks, or without any (None)."""
    return SAMPLING if most is None else Sampling(check_level(most), CHECK_RESAMPLES)


def clusters_needed(level: float) -> int:
    """The number of clusters below which a median has no interval at this level: see `MIN_CLUSTERS`."""
    return max(MIN_CLUSTERS, math.ceil(1 - math.log2(1 - level)))
