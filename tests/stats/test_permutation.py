from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, ttest_rel, wilcoxon

from firstpacket.bench.stats.permutation import EXACT_CLUSTERS, sign_flip_test, stratified_test

FEW = 499
quick = settings(max_examples=40, deadline=None)
rows = st.lists(st.tuples(st.integers(-500, 500).map(float), st.integers(0, 20)), min_size=1, max_size=40)


def test_five_of_five_clips_the_same_way_have_p_two_in_thirty_two() -> None:
    found = sign_flip_test([1.0, 2.0, 3.0, 4.0, 5.0], "abcde")
    assert (found.p, found.permutations, found.exact) == (2 / 32, 32, True)
    assert sign_flip_test([1.0, 2.0, 3.0, 4.0, 5.0], "abcde", alternative="greater").p == 1 / 32
    assert sign_flip_test([1.0, 2.0, 3.0, 4.0, 5.0], "abcde", alternative="less").p == 1.0


def test_pairs_of_one_clip_change_sign_together() -> None:
    """Ten pairs of two clips say no more than two clips can."""
    assert sign_flip_test([1.0, 2.0, 3.0, 4.0, 5.0] * 2, "aaaaabbbbb").p == 0.5
    assert sign_flip_test([1.0, 2.0, 3.0, 4.0, 5.0] * 2, range(10)).p == 2 / 1024


@pytest.mark.parametrize("score", ["value", "rank"])
def test_all_patterns_give_what_a_loop_over_them_gives(score) -> None:
    values, clusters = [3.0, -1.0, 4.0, 1.5, -5.0, 9.0], "aabcdd"
    scores = values if score == "value" else [3.0, -1.0, 4.0, 2.0, -5.0, 6.0]
    sums = [scores[0] + scores[1], scores[2], scores[3], scores[4] + scores[5]]
    found = [abs(sum(s * v for s, v in zip(signs, sums, strict=True))) for signs in product((1, -1), repeat=4)]
    expected = sum(each >= abs(sum(sums)) - 1e-9 for each in found) / 16
    assert sign_flip_test(values, clusters, score=score).p == expected


def test_a_sample_of_patterns_comes_near_the_tests_that_everybody_knows() -> None:
    differences = np.random.default_rng(4).normal(0.4, 1, 40)
    clips = range(40)
    t = ttest_rel(differences, np.zeros(40)).pvalue
    assert sign_flip_test(differences, clips).p == pytest.approx(t, abs=0.01)
    assert sign_flip_test(differences, clips, score="rank").p == pytest.approx(wilcoxon(differences).pvalue, abs=0.01)


def test_one_stall_rules_the_sum_but_not_the_ranks() -> None:
    differences = [5.0 + step for step in range(29)] + [-3000.0]
    assert sign_flip_test(differences, range(30)).p > 0.2
    assert sign_flip_test(differences, range(30), score="rank").p < 0.001


def test_nothing_but_zeros_is_no_finding() -> None:
    assert sign_flip_test([0.0] * 30, range(30)).p == 1.0
    assert sign_flip_test([0.0] * 5, range(5), score="rank").p == 1.0


@quick
@given(rows, st.randoms(), st.sampled_from(["value", "rank"]))
def test_order_scale_and_sign_change_nothing_on_two_sides(values, random, score) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)
    found = sign_flip_test(*zip(*values, strict=True), score=score, permutations=FEW)
    assert sign_flip_test(*zip(*shuffled, strict=True), score=score, permutations=FEW) == found
    differences, clusters = zip(*values, strict=True)
    turned = [-4 * value for value in differences]
    assert sign_flip_test(turned, clusters, score=score, permutations=FEW) == found
    assert 0 < found.p <= 1


@quick
@given(rows, st.randoms())
def test_exchanging_the_samples_turns_the_one_sided_test_over(values, random) -> None:
    before = [value for value, _ in values]
    after = [value + random.randint(-50, 80) for value in before]
    strata = [clip for _, clip in values]
    there = stratified_test(before, after, strata, strata, alternative="greater", permutations=FEW).p
    back = stratified_test(after, before, strata, strata, alternative="less", permutations=FEW).p
    assert there == pytest.approx(back, abs=0.12)


def test_without_strata_two_samples_give_what_mann_whitney_gives() -> None:
    rng = np.random.default_rng(8)
    before, after = rng.normal(0, 1, 25), rng.normal(0.7, 1, 30)
    found = stratified_test(before, after, [0] * 25, [0] * 30, score="rank")
    assert found.p == pytest.approx(mannwhitneyu(before, after).pvalue, abs=0.01)
    assert not found.exact


def test_strata_keep_values_apart_that_never_could_change_places() -> None:
    """The slow clip was asked more often afterwards: without strata it looks like a slowdown."""
    before, clips_before = [100.0, 101.0, 102.0, 103.0, 104.0, 105.0, 500.0], [*"aaaaaa", "b"]
    after, clips_after = [102.5, 500.5, 501.0, 499.5, 500.2, 499.8, 500.1], [*"a", *"bbbbbb"]
    assert stratified_test(before, after, clips_before, clips_after).p > 0.3
    assert stratified_test(before, after, [0] * 7, [0] * 7).p < 0.05


def test_drawn_orders_are_those_of_a_loop_over_all() -> None:
    before, after = [1.0, 4.0, 2.0], [6.0, 3.5]
    values = [*before, *after]
    mean = sum(values) / 5
    sums = [order[3] + order[4] - 2 * mean for order in permutations(values)]
    expected = sum(each >= sum(after) - 2 * mean - 1e-9 for each in sums) / 120
    found = stratified_test(before, after, "aaa", "aa", alternative="greater", permutations=20_000).p
    assert found == pytest.approx(expected, abs=0.01)


def test_only_values_of_one_stratum_change_places() -> None:
    """Of 2 and 3 orders each, six in all: the loop goes through them."""
    sums = [a + b for a in (1.0, 10.0) for b in (2.0, 300.0, 301.0)]
    expected = sum(each >= 301.0 for each in sums) / 6
    found = stratified_test([10.0, 2.0, 301.0], [1.0, 300.0], "abb", "ab", alternative="greater", permutations=20_000).p
    assert found == pytest.approx(expected, abs=0.01)


def test_sums_that_differ_by_rounding_are_equally_extreme() -> None:
    values = [0.1, 0.2, 0.3, -0.1, -0.2]
    tenfold = [round(10 * value) for value in values]
    assert sign_flip_test(values, range(5)).p == sign_flip_test(tenfold, range(5)).p


def test_what_no_drawn_permutation_reached_is_still_not_impossible() -> None:
    assert sign_flip_test([1.0] * 60, range(60), permutations=FEW).p == 1 / (1 + FEW)


@pytest.mark.parametrize("clips", [EXACT_CLUSTERS, 24])
def test_of_two_equal_labels_one_in_twenty_is_called_different(clips) -> None:
    """Three pairs a clip that share their clip's difference; counted one by one they would cry wolf far more often."""
    rng = np.random.default_rng(2)
    clusters = np.repeat(np.arange(clips), 3)
    trials, false, naive = 400, 0, 0
    for _ in range(trials):
        differences = np.repeat(rng.normal(0, 2, clips), 3) + rng.normal(0, 1, 3 * clips)
        false += sign_flip_test(differences, clusters, permutations=FEW).p <= 0.05
        naive += sign_flip_test(differences, range(3 * clips), permutations=FEW).p <= 0.05
    assert false / trials <= 0.085
    assert naive / trials > 0.15


def test_the_same_seed_gives_the_same_p_and_another_one_does_not() -> None:
    differences = np.random.default_rng(1).normal(0.2, 1, 40)
    first = sign_flip_test(differences, range(40), permutations=FEW)
    assert sign_flip_test(differences, range(40), permutations=FEW) == first
    assert sign_flip_test(differences, range(40), permutations=FEW, seed=1) != first


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="as many"):
        sign_flip_test([1.0], [])
    with pytest.raises(ValueError, match="stratum"):
        stratified_test([1.0], [], [0], [])
