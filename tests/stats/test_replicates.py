"""Units with several values each."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student
from scipy.stats import ttest_1samp

from firstpacket.bench.stats.replicates import (
    Location,
    location,
    t_bounds,
    turns_per_unit,
    units_needed,
    variance_components,
)

VALUES = st.lists(st.integers(-1000, 1000).map(lambda n: n / 7), min_size=2, max_size=40)


@pytest.mark.parametrize("n", [5, 10, 50])
def test_the_variance_of_a_location_is_that_of_repeated_ones(n: int) -> None:
    units = [location(row) for row in np.random.default_rng(n).standard_normal((4000, n))]
    assert np.mean([unit.variance for unit in units]) == pytest.approx(np.var([unit.value for unit in units]), rel=0.12)


@given(VALUES, st.floats(-10, 10))
def test_a_location_lies_among_the_values_and_moves_with_them(values: list[float], place: float) -> None:
    unit = location(values)
    assert min(values) - 1e-9 <= unit.value <= max(values) + 1e-9
    moved = location([value + place for value in values])
    assert (moved.value, moved.variance) == pytest.approx((unit.value + place, unit.variance), abs=1e-6)
    with pytest.raises(ValueError, match="two values"):
        location(values[:1])


def test_a_third_of_outliers_on_one_side_hardly_moves_a_location() -> None:
    values = np.random.default_rng(5).standard_normal(50)
    values[:16] += 1000
    assert abs(location(values).value) < 1.5
    assert location(values).variance < 0.2


def test_variance_between_units_is_separated_from_that_within() -> None:
    random = np.random.default_rng(1)
    for between in (0.0, 0.02):
        units = [location(random.normal(random.normal(0, between), 0.1, 50)) for _ in range(400)]
        components = variance_components(units)
        assert components is not None
        assert math.sqrt(components.between) == pytest.approx(between, abs=0.006)
        assert components.within == pytest.approx(0.1**2 / 50 * 1.32, rel=0.1)
        assert components.between_deviation.contains(between)


@pytest.mark.parametrize("units, between", [(5, 0.0), (5, 1.0), (12, 0.5), (40, 2.0)])
def test_the_interval_of_the_deviation_covers_it_as_often_as_stated(units: int, between: float) -> None:
    random, covered = np.random.default_rng(2), 0
    for _ in range(2000):
        values = random.normal(0, math.hypot(between, 1), units)
        variances = random.chisquare(30, units) / 30
        components = variance_components([Location(*each, 30) for each in zip(values, variances, strict=True)])
        assert components is not None
        covered += components.between_deviation.contains(between)
    assert covered / 2000 >= 0.935
    assert between == 0 or covered / 2000 <= 0.965


def test_units_that_differ_less_than_their_noise_do_not_differ() -> None:
    components = variance_components([Location(value, 1.0, 9) for value in (0.0, 0.1, 0.2)])
    assert components is not None
    assert (components.between, components.between_deviation.low) == (0, 0)
    assert components.between_deviation.high == 0 or components.between_deviation.high < 1
    assert variance_components([Location(0.0, 1.0, 9)]) is None


@given(VALUES.filter(lambda values: len(set(values)) > 1), st.sampled_from([0.05, 0.005, 0.0002]))
def test_bounds_are_where_a_t_test_is_just_significant(values: list[float], tail: float) -> None:
    bounds = t_bounds(values, tail)
    assert bounds is not None
    assert ttest_1samp(values, bounds.low, alternative="greater").pvalue == pytest.approx(tail, rel=1e-3)
    assert ttest_1samp(values, bounds.high, alternative="less").pvalue == pytest.approx(tail, rel=1e-3)
    assert bounds.level == 1 - 2 * tail


@given(VALUES.filter(lambda values: len(values) >= 5))
def test_a_location_ignores_outer_values_and_has_yuens_error(values: list[float]) -> None:
    ordered, cut = sorted(values), int(0.35 * len(values))
    unit = location(values)
    assert location([-1e9, *ordered[1:-1], 1e9]) == unit
    assert unit.value == pytest.approx(np.mean(ordered[cut:-cut]), abs=1e-6)
    assert math.sqrt(unit.variance) == pytest.approx(trimmed_error(ordered, cut), abs=1e-6)


def trimmed_error(ordered: list[float], cut: int) -> float:
    """By Yuen's formula: the deviation of the winsorised values, with as many of them as there are."""
    n = len(ordered)
    winsorised = [ordered[min(max(index, cut), n - 1 - cut)] for index in range(n)]
    kept = n - 2 * cut
    return math.sqrt((n - 1) * float(np.var(winsorised, ddof=1)) / (kept * (kept - 1)))


def test_bounds_need_two_values() -> None:
    assert t_bounds([1.0], 0.05) is None


def test_bounds_are_wrong_as_often_as_stated() -> None:
    random = np.random.default_rng(3)
    bounds = [t_bounds(random.standard_normal(12), 0.05) for _ in range(4000)]
    wrong = sum(each is not None and each.low > 0 for each in bounds)
    assert wrong / 4000 == pytest.approx(0.05, abs=0.01)


@given(st.floats(0.01, 100), st.floats(0.01, 10), st.floats(0.0, 4), st.floats(0.0, 100), st.integers(1, 50))
def test_no_other_number_of_turns_is_more_precise_in_the_same_time(
    unit_cost: float, turn_cost: float, between: float, within: float, least: int
) -> None:
    def variance_in_time(turns: int) -> float:
        return (unit_cost + turns * turn_cost) * (between + within / turns)

    turns = turns_per_unit(unit_cost, turn_cost, between, within, least, 100)
    assert least <= turns <= 100
    best = min(variance_in_time(each) for each in range(least, 101))
    assert variance_in_time(turns) <= best * 1.06  # the rounded root is not always the best whole number


def test_turns_are_all_there_may_be_if_units_do_not_differ() -> None:
    assert turns_per_unit(10, 1, 0.0, 4.0, 5, 80) == 80
    assert turns_per_unit(10, 1, 4.0, 0.0, 5, 80) == 5
    assert turns_per_unit(400, 1, 1.0, 1.0, 5, 80) == 20
    with pytest.raises(ValueError, match="cost"):
        turns_per_unit(1, 0, 1, 1, 5, 80)


@given(st.floats(0.001, 1), st.floats(0.0005, 1), st.sampled_from([0.05, 0.0005]))
def test_so_many_units_bring_the_bound_within_the_margin_and_no_fewer(
    deviation: float, margin: float, tail: float
) -> None:
    count = units_needed(deviation, margin, tail)
    assert count is not None and count >= 2
    assert -student.ppf(tail, count - 1) * deviation / math.sqrt(count) <= margin * (1 + 1e-6)
    if count > 2:
        assert -student.ppf(tail, count - 2) * deviation / math.sqrt(count - 1) > margin * (1 - 1e-6)


def test_no_number_of_units_suffices_for_a_mean_on_the_wrong_side() -> None:
    assert units_needed(0.1, 0.0, 0.05) is None
    assert units_needed(0.1, -0.1, 0.05) is None
    assert units_needed(0.0, 0.1, 0.05) == 2
