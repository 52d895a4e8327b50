"""Exact shares, compared with scipy's tests and published values."""

from __future__ import annotations

import pytest
from scipy.stats import binomtest

from firstpacket.bench.stats.binomial import mcnemar, share


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
