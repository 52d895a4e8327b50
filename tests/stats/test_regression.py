"""A slope that is robust to outliers."""

from itertools import combinations
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import theilslopes

from firstpacket.bench.stats.quantiles import median
from firstpacket.bench.stats.regression import line


def test_the_slope_is_the_median_of_all_slopes() -> None:
    random = Random(1)
    x = [random.uniform(0, 10) for _ in range(25)]
    y = [3 * each + 2 + random.gauss(0, 1) for each in x]
    found = line(x, y)
    assert found is not None
    points = list(zip(x, y, strict=True))
    assert found.slope.value == pytest.approx(median([(d - b) / (c - a) for (a, b), (c, d) in combinations(points, 2)]))
    assert found.slope.interval is not None
    assert found.slope.interval.contains(3)
    assert found.slope.interval.low < found.slope.value < found.slope.interval.high


POINTS = st.lists(st.tuples(st.integers(0, 9), st.integers(-20, 20).map(lambda n: n / 7)), min_size=6, max_size=40)


@given(POINTS, st.sampled_from([0.9, 0.95, 0.99]))
def test_slope_and_interval_are_those_of_scipy_with_ties_too(points: list[tuple[int, float]], level: float) -> None:
    x, y = (list(each) for each in zip(*points, strict=True))
    found = line(x, y, level)
    if found is None:
        assert len(set(x)) < 3
        return
    order = np.argsort(x, kind="stable")
    slope, _, low, high = theilslopes(np.asarray(y)[order], np.asarray(x)[order], alpha=level)
    assert found.slope.interval is not None
    assert (found.slope.value, found.slope.interval.low, found.slope.interval.high) == (slope, low, high)


def test_one_outlier_does_not_change_the_slope() -> None:
    found = line([1, 2, 3, 4, 5, 6, 7], [5, 8, 11, 14, 17, 20, 1e6])
    assert found is not None
    assert found.slope.value == pytest.approx(3)
    assert found.at(2) == pytest.approx(8)


def test_intervals_cover_the_truth_as_often_as_stated() -> None:
    random, held = Random(2), 0
    for _ in range(300):
        x = [random.uniform(1, 8) for _ in range(15)]
        y = [2 * each + random.gauss(0, 3) for each in x]
        found = line(x, y)
        assert found is not None
        assert found.slope.interval is not None
        held += found.slope.interval.contains(2)
    assert 0.92 <= held / 300 <= 0.99


def test_too_few_points_have_no_line() -> None:
    assert line([1, 2, 3, 4, 5], [1, 2, 3, 4, 5]) is None
    assert line([1, 1, 1, 2, 2, 2], [1, 2, 3, 4, 5, 6]) is None
    with pytest.raises(ValueError, match="as many"):
        line([1, 2], [1])


def test_many_points_are_thinned_evenly() -> None:
    found = line(range(4000), [0.5 * each for each in range(4000)])
    assert found is not None
    assert found.slope.value == pytest.approx(0.5)
    assert found.slope.n == 4000
