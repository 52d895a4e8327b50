import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstpacket.bench.stats.holm import holm

p_values = st.lists(st.floats(0, 1), max_size=20)


def test_holms_steps_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.04]) == (0.04,)
    assert holm([]) == ()


@given(p_values)
def test_no_p_becomes_smaller_nor_larger_than_with_bonferroni(values) -> None:
    for raw, adjusted in zip(values, holm(values), strict=True):
        assert raw <= adjusted <= max(raw, min(1.0, len(values) * raw))


@given(p_values, st.randoms())
def test_adjustment_preserves_ranking_and_ignores_input_order(values, random) -> None:
    adjusted = holm(values)
    places = sorted(range(len(values)), key=lambda place: values[place])
    assert [adjusted[place] for place in places] == sorted(adjusted)
    random.shuffle(places)
    assert holm([values[place] for place in places]) == tuple(adjusted[place] for place in places)


def test_invalid_probabilities_are_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.5, 1.2])
