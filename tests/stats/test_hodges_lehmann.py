import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstpacket.bench.stats.hodges_lehmann import EXACT, shift, shift_interval

VALUES = st.lists(st.integers(-1000, 1000).map(lambda n: n / 7), min_size=1, max_size=70)


def averages(values: list[float]) -> list[float]:
    return sorted((a + b) / 2 for i, a in enumerate(values) for b in values[i:])


@given(VALUES)
def test_the_shift_is_the_median_of_all_averages(values: list[float]) -> None:
    assert shift(values) == pytest.approx(np.median(averages(values)), abs=1e-9)


@given(VALUES, st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_the_interval_contains_the_shift_and_is_mirrored_with_it(values: list[float], level: float) -> None:
    interval = shift_interval(values, level)
    if interval is None:
        assert len(values) < 8
        return
    assert interval.low <= shift(values) + 1e-9 and shift(values) <= interval.high + 1e-9
    mirrored = shift_interval([-value for value in values], level)
    assert mirrored is not None
    assert (-mirrored.high, -mirrored.low) == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_bounds_are_at_the_ranks_of_published_tables() -> None:
    """Hollander, Wolfe and Chicken, table of the signed-rank statistic: 9 of 10 values at 95 %, 53 of 20."""
    for n, place in ((6, 1), (10, 9), (20, 53)):
        values = [float(value) for value in np.random.default_rng(n).standard_normal(n)]
        interval = shift_interval(values)
        assert interval is not None
        ordered = averages(values)
        assert (interval.low, interval.high) == pytest.approx((ordered[place - 1], ordered[-place]), abs=1e-9)
    assert shift_interval([1.0] * 5) is None


def test_coverage_is_what_it_says_on_either_side_of_the_exact_distribution() -> None:
    random = np.random.default_rng(1)
    for n in (10, EXACT, EXACT + 1):
        covered = 0
        for _ in range(500):
            interval = shift_interval(random.standard_t(3, n).tolist())
            assert interval is not None
            covered += interval.contains(0.0)
        assert 0.925 < covered / 500 < 0.975


def test_outliers_move_it_little_and_many_values_cost_no_memory() -> None:
    values = np.random.default_rng(2).standard_normal(20_000)
    values[:1000] = 1e6
    assert shift(values.tolist()) < 0.3
    assert shift_interval(values.tolist()) is not None


def test_without_values_there_is_none() -> None:
    with pytest.raises(ValueError, match="at least one"):
        shift([])
