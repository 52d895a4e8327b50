import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstpacket.bench.gate.change import change

LATENCIES = st.lists(st.tuples(st.floats(1, 1000), st.floats(1, 1000)), min_size=8, max_size=40)


def test_a_slowdown_of_every_pair_is_found_exactly() -> None:
    before = [100.0 + number for number in range(20)]
    found = change(before, [1.05 * value for value in before], [str(number % 5) for number in range(20)])
    assert (found.pairs, found.clips) == (20, 5)
    assert found.ratio is not None and found.difference_ms is not None
    assert found.ratio.value == pytest.approx(1.05)
    assert found.ratio.interval_95.low == pytest.approx(found.ratio.interval_95.high) == pytest.approx(1.05)
    assert found.difference_ms.value == pytest.approx(0.05 * 109.5)


@given(LATENCIES)
def test_swapping_the_sides_inverts_the_ratio(pairs: list[tuple[float, float]]) -> None:
    before, after = (list(side) for side in zip(*pairs, strict=True))
    clips = ["clip"] * len(pairs)
    one, other = change(before, after, clips), change(after, before, clips)
    assert one.ratio is not None and other.ratio is not None
    assert one.ratio.value == pytest.approx(1 / other.ratio.value)
    assert one.ratio.interval_90.low == pytest.approx(1 / other.ratio.interval_90.high)


def test_ruling_out_uses_a_wider_interval_than_showing() -> None:
    found = change(list(range(50, 80)), list(range(80, 50, -1)), ["clip"] * 30)
    assert found.ratio is not None
    assert (
        found.ratio.interval_95.low
        < found.ratio.interval_90.low
        < found.ratio.interval_90.high
        < found.ratio.interval_95.high
    )


def test_a_band_widens_both_ends() -> None:
    before, after = [100.0] * 10, [103.0] * 10
    found = change(before, after, ["clip"] * 10, widened=0.02)
    assert found.ratio is not None and found.difference_ms is not None
    assert found.ratio.interval_90.low == pytest.approx(1.03 / 1.02)
    assert (found.difference_ms.interval_90.low, found.difference_ms.interval_90.high) == pytest.approx((1.0, 5.0))


def test_answers_before_the_end_of_speech_have_no_ratio() -> None:
    found = change([-20.0] * 10, [5.0] * 10, ["clip"] * 10)
    assert found.ratio is None and found.difference_ms is not None
    assert found.difference_ms.value == 25.0


@pytest.mark.parametrize("pairs", [0, 1, 5])
def test_too_few_pairs_have_no_interval(pairs: int) -> None:
    found = change([1.0] * pairs, [2.0] * pairs, ["clip"] * pairs)
    assert found.pairs == pairs and found.ratio is None and found.difference_ms is None
