"""Looking at an interval again and again until it is narrow enough, without fooling oneself.

Whoever stops as soon as a 95 % interval happens to be narrow holds the truth less often than in 95 % of cases: an
interval is too narrow most often where it is wrong. So the looks are planned before the first, at numbers of blocks
that double, and the 5 % by which all of them together may err are spent on them in equal parts: each of K looks has an
interval at the level 1 - 0.05 / K, and the one that a run ends with is that one, widened. By Bonferroni's inequality
the intervals of all K looks hold the truth together in at least 95 % of cases, whatever made somebody stop, and however
the looks depend on one another: they share all earlier turns and the clips themselves, so that the independent
increments which narrower boundaries rest on (Lan and DeMets, 1983, Biometrika 70) are not to be had. It is their error
spending with a function that grows by the same amount at every look (section 2 there); that looks at sample sizes which
grow geometrically cost little is in Howard, Ramdas, McAuliffe and Sekhon, 2021, Annals of Statistics 49, section 3.
tests/benchmarks/test_precision_coverage.py measures it.
"""

from __future__ import annotations

import math

from firstpacket.bench.stats.bootstrap import LEVEL, MIN_CLUSTERS

LOOK_RESAMPLES = 10_000
"""The level of a look lies further out than 95 %, where fewer resamples are rare."""


def looks(most: int) -> tuple[int, ...]:
    """The numbers of blocks at which is looked: 1, 2, 4, ... while there are half as many more, and `most`.

    Raises `ValueError` below 1.
    """
    if most < 1:
        raise ValueError("There must be at least one block to look at.")
    doubled = (2**power for power in range(most.bit_length()))
    return (*(number for number in doubled if 3 * number <= 2 * most), most)


def look_level(most: int) -> float:
    """The level of every look's interval where there may be `most` blocks: 1 - (1 - `LEVEL`) / K with K looks."""
    return 1 - (1 - LEVEL) / len(looks(most))


def clusters_needed(level: float) -> int:
    """Below so many clusters no interval for a median exists at this level: see `MIN_CLUSTERS`."""
    return max(MIN_CLUSTERS, math.ceil(1 - math.log2(1 - level)))
