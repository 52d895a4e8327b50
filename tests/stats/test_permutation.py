from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from firstpacket.bench.stats.permutation import stratified_test

FEW = 499
quick = settings(max_examples=40)
rows = st.lists(st.tuples(st.integers(-500, 500).map(float), st.integers(0, 20)), min_size=1, max_size=40)


@quick
@given(rows, st.randoms())
def test_exchanging_the_samples_changes_nothing_but_the_draw(values, random) -> None:
    before = [value for value, _ in values]
    after = [value + random.randint(-50, 80) for value in before]
    strata = [clip for _, clip in values]
    there = stratified_test(before, after, strata, strata, permutations=FEW)
    back = stratified_test(after, before, strata, strata, permutations=FEW)
    assert there == pytest.approx(back, abs=0.12)
    assert 0 < there <= 1


def test_without_strata_two_samples_give_what_mann_whitney_gives() -> None:
    rng = np.random.default_rng(8)
    before, after = rng.normal(0, 1, 25), rng.normal(0.7, 1, 30)
    found = stratified_test(before, after, [0] * 25, [0] * 30)
    assert found == pytest.approx(mannwhitneyu(before, after).pvalue, abs=0.01)


def test_strata_remove_differences_between_strata() -> None:
    """The slow clip was measured more often afterwards: without strata it looks like a slowdown."""
    before, clips_before = [100.0, 101.0, 102.0, 103.0, 104.0, 105.0, 500.0], [*"aaaaaa", "b"]
    after, clips_after = [102.5, 500.5, 501.0, 499.5, 500.2, 499.8, 500.1], [*"a", *"bbbbbb"]
    assert stratified_test(before, after, clips_before, clips_after) > 0.3
    assert stratified_test(before, after, [0] * 7, [0] * 7) < 0.05


def test_drawn_orders_are_those_of_a_loop_over_all() -> None:
    """Ranks 1, 4, 2 before and 5, 3 after; their mean is 3."""
    before, after = [1.0, 4.0, 2.0], [6.0, 3.5]
    sums = [abs(order[3] + order[4] - 6) for order in permutations([1, 4, 2, 5, 3])]
    expected = sum(each >= 2 for each in sums) / 120
    assert stratified_test(before, after, "aaa", "aa", permutations=20_000) == pytest.approx(expected, abs=0.01)


def test_only_values_of_one_stratum_change_places() -> None:
    """Clip a has ranks 1 and 2 (of 3), clip b 1 to 3 (of 4); the later ones are 2 and 2. Six orders in all."""
    sums = [abs((a - 1.5) / 3 + (b - 2) / 4) for a in (1, 2) for b in (1, 2, 3)]
    expected = sum(each >= 0.5 / 3 for each in sums) / 6
    found = stratified_test([1.0, 2.0, 301.0], [10.0, 300.0], "abb", "ab", permutations=20_000)
    assert 0 < expected < 1
    assert found == pytest.approx(expected, abs=0.01)


def test_one_stall_does_not_decide_the_test() -> None:
    later = [5.0 + step for step in range(20)]
    assert stratified_test([*later[1:], 30_000.0], [step - 40.0 for step in later], [0] * 20, [0] * 20) < 0.001


def test_equal_values_give_p_of_one() -> None:
    assert stratified_test([7.0] * 5, [7.0] * 6, [0] * 5, [0] * 6, permutations=FEW) == 1.0


def test_p_is_never_zero() -> None:
    before, after = range(30), range(100, 130)
    assert stratified_test(before, after, [0] * 30, [0] * 30, permutations=FEW) == 1 / (1 + FEW)


def test_of_two_equal_samples_one_in_twenty_is_called_different() -> None:
    rng = np.random.default_rng(2)
    clips = np.repeat(np.arange(8), 3)
    trials, false = 400, 0
    for _ in range(trials):
        levels = np.repeat(rng.normal(0, 20, 8), 3)
        before, after = levels + rng.normal(0, 1, 24), levels + rng.normal(0, 1, 24)
        false += stratified_test(before, after, clips, clips, permutations=FEW) <= 0.05
    assert 0.02 <= false / trials <= 0.085


def test_the_same_seed_gives_the_same_p_and_another_one_does_not() -> None:
    values = np.random.default_rng(1).normal(0, 1, 80)
    samples = values[:40], values[40:] + 0.2, range(40), range(40)
    first = stratified_test(*samples, permutations=FEW)
    assert stratified_test(*samples, permutations=FEW) == first
    assert stratified_test(*samples, permutations=FEW, seed=1) != first


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="stratum"):
        stratified_test([1.0], [], [0], [])
    with pytest.raises(ValueError, match="stratum"):
        stratified_test([1.0], [2.0], [0], [])
