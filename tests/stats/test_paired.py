import pytest

from firstpacket.bench.stats.paired import paired_difference, paired_ratio

CLIPS = list("abcdefg")
BEFORE = [100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0]


def test_the_difference_is_the_median_of_the_differences() -> None:
    after = [90.0, 150.0, 297.0, 300.0, 510.0, 588.0, 100.0]  # differences -10 -50 -3 -100 +10 -12 -600
    found = paired_difference(BEFORE, after, CLIPS)
    assert found.value == -12  # the difference of the medians would be -103
    assert (found.n, found.clusters) == (7, 7)
    assert found.interval is not None
    assert found.interval.contains(-12)


def test_a_constant_difference_has_an_interval_without_width() -> None:
    found = paired_difference(BEFORE, [value - 40 for value in BEFORE], CLIPS)
    assert found.interval is not None
    assert (found.value, found.interval.low, found.interval.high) == (-40, -40, -40)


def test_the_ratio_of_halves_is_a_half_and_turns_over_with_the_pairs() -> None:
    after = [value / 2 for value in BEFORE[:3]] + [value / 4 for value in BEFORE[3:6]]
    there = paired_ratio(BEFORE[:6], after, CLIPS[:6])
    back = paired_ratio(after, BEFORE[:6], CLIPS[:6])
    assert there is not None
    assert back is not None
    assert there.value == pytest.approx(8**-0.5)
    assert back.value == pytest.approx(1 / there.value)
    assert there.interval is not None
    assert (there.interval.low, there.interval.high) == pytest.approx((0.25, 0.5))


def test_a_ratio_needs_positive_values() -> None:
    assert paired_ratio([1.0, 0.0], [1.0, 1.0], ["a", "b"]) is None


def test_pairs_must_be_pairs() -> None:
    with pytest.raises(ValueError):
        paired_difference([1.0], [1.0, 2.0], ["a"])
