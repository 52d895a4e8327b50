import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstpacket.bench.stats.quantiles import censored_quantile, median, quantile, supported_quantile, values_needed

numbers = st.lists(st.integers(-10_000, 10_000).map(float), min_size=1, max_size=60)


@pytest.mark.parametrize(("q", "needs"), [(0.5, 11), (0.9, 64), (0.95, 130), (0.99, 662), (0.999, 6636)])
def test_turns_needed_are_those_of_the_binomial_table(q: float, needs: int) -> None:
    assert values_needed(q) == needs


def test_an_unsupported_percentile_is_never_a_number() -> None:
    result = supported_quantile([1.0] * 50, 0.99)
    assert result.value is None
    assert result.shortfall == "n=50 < 662"


@pytest.mark.parametrize(("n", "shown"), [(63, False), (64, True)])
def test_p90_appears_with_its_64th_value(n: int, shown: bool) -> None:
    result = supported_quantile([float(i) for i in range(n)], 0.9)
    assert (result.value is not None) is shown
    if shown:
        assert result.value == pytest.approx(56.7)  # position 0.9 * 63 among 0, 1, ... 63


def test_linear_interpolation_by_hand() -> None:
    assert quantile([10, 20, 40, 80], 0.5) == 30
    assert quantile([10, 20, 40, 80], 0.9) == pytest.approx(40 + 0.7 * 40)
    assert median([3, 1, 2]) == 2


def test_no_values_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one"):
        median([])
    with pytest.raises(ValueError, match="between 0 and 1"):
        values_needed(1.0)


@given(numbers, st.floats(0, 1), st.integers(-1000, 1000), st.sampled_from([0.5, 2.0, 1024.0]))
def test_quantiles_follow_shifting_and_scaling(values: list[float], q: float, shift: int, scale: float) -> None:
    moved = [scale * value + shift for value in values]
    assert quantile(moved, q) == pytest.approx(scale * quantile(values, q) + shift, abs=1e-6)


@given(numbers, st.randoms())
def test_order_changes_nothing(values: list[float], random) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)
    assert median(shuffled) == median(values)


def test_missing_values_count_as_infinitely_late() -> None:
    ten = [float(i) for i in range(10)]
    assert censored_quantile(ten, 2, 0.5).value == 5.5
    assert censored_quantile(ten, 10, 0.5).value == math.inf, "between the tenth value and the first infinite one"
    assert censored_quantile(ten, 9, 0.5).value == 9.0
    assert censored_quantile(ten, 0, 0.5).shortfall == "n=10 < 11"
    assert censored_quantile([], 11, 0.5).value == math.inf


@given(st.lists(st.integers(0, 1000).map(float), min_size=12, max_size=60), st.integers(0, 60))
def test_missing_values_never_lower_a_quantile(values: list[float], never: int) -> None:
    without, counted = median(values), censored_quantile(values, never, 0.5).value
    assert counted is not None
    assert counted >= without
    assert (counted == without) if never == 0 else True
    assert (counted == math.inf) == ((len(values) + never - 1) * 0.5 > len(values) - 1)
    padded = [*sorted(values), *[2000.0] * never]
    assert counted == math.inf or counted == median(padded)
