"""Exact shares, compared with scipy's tests and published values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest, norm

from firstpacket.bench.stats.binomial import mcnemar, share, share_difference


@pytest.mark.parametrize(("count", "n"), [(0, 10), (10, 10), (1, 1), (3, 10), (570, 600)])
def test_the_interval_is_the_exact_one(count: int, n: int) -> None:
    found = share([True] * count + [False] * (n - count))
    exact = binomtest(count, n).proportion_ci(0.95, "exact")
    assert found.value == count / n and found.n == found.clusters == n
    assert (found.interval.low, found.interval.high) == pytest.approx((exact.low, exact.high))


def test_repeated_clips_do_not_narrow_the_interval() -> None:
    """Ten clips measured five times each with equal results are worth as much as ten clips measured once."""
    once = share([True] * 7 + [False] * 3)
    often = share(
        [index < 7 for index in range(10) for _ in range(5)], [index for index in range(10) for _ in range(5)]
    )
    assert often.n == 50 and often.clusters == 10
    assert (often.value, often.interval) == (once.value, once.interval)


def test_no_trials_have_no_share() -> None:
    with pytest.raises(ValueError, match="at least one"):
        share([])
    with pytest.raises(ValueError, match="cluster"):
        share([True], [])


@pytest.mark.parametrize(("first", "second"), [(0, 0), (5, 5), (0, 6), (9, 1), (1, 0)])
def test_mcnemar_is_the_sign_test_of_the_pairs_that_differ(first: int, second: int) -> None:
    expected = binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar(first, second) == pytest.approx(expected) == pytest.approx(mcnemar(second, first))


def fitted(only_first: int, only_second: int, pairs: int, difference: float) -> float:
    """The likeliest share of pairs in which the first alone succeeds, if the shares differ by `difference`."""

    def unlikely(first: float) -> float:
        shares = (first, first + difference, 1 - 2 * first - difference)
        counts = (only_first, only_second, pairs - only_first - only_second)
        return -sum(n * math.log(max(p, 1e-300)) for n, p in zip(counts, shares, strict=True) if n)

    bounds = (max(0.0, -difference), (1 - difference) / 2)
    return float(minimize_scalar(unlikely, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x)


@pytest.mark.parametrize(("first", "second", "pairs"), [(0, 0, 5), (7, 1, 21), (0, 9, 12), (40, 25, 609), (3, 3, 6)])
def test_the_ends_of_a_difference_are_just_not_rejected_by_the_score_test(first: int, second: int, pairs: int) -> None:
    found = share_difference(first, second, pairs)
    assert (
        found.value == (second - first) / pairs and found.interval is not None and found.interval.contains(found.value)
    )
    for end, z in ((found.interval.low, norm.ppf(0.975)), (found.interval.high, norm.ppf(0.025))):
        variance = 2 * fitted(first, second, pairs, end) + end * (1 - end)
        assert (found.value - end) / math.sqrt(variance / pairs) == pytest.approx(z, abs=1e-3)


def test_a_difference_has_the_published_interval() -> None:
    """Bentur et al. (2009), 21 children, as in Fagerland, Lydersen and Laake (2014, Statistics in Medicine 33)."""
    found = share_difference(7, 1, 21).interval
    assert found is not None and (round(found.low, 3), round(found.high, 3)) == (-0.517, -0.026)


def test_a_difference_of_all_pairs_is_bounded_by_one() -> None:
    for first, second, end in ((8, 0, -1.0), (0, 8, 1.0)):
        found = share_difference(first, second, 8)
        assert found.value == end and found.interval is not None and end in (found.interval.low, found.interval.high)
    with pytest.raises(ValueError, match="at least one pair"):
        share_difference(0, 0, 0)
    with pytest.raises(ValueError, match="at most all"):
        share_difference(2, 2, 3)


def test_the_interval_of_a_difference_covers_the_truth() -> None:
    random, hits = np.random.default_rng(0), 0
    for _ in range(400):
        first, second, _ = random.multinomial(100, [0.1, 0.15, 0.75])
        interval = share_difference(int(first), int(second), 100).interval
        hits += interval is not None and interval.contains(0.05)
    assert 0.92 <= hits / 400 <= 0.98
