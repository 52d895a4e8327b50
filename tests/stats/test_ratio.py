"""Errors over words: all together, not text by text."""

from __future__ import annotations

import numpy as np
import pytest

from firstpacket.bench.stats.bootstrap import Sampling
from firstpacket.bench.stats.ratio import difference_of_ratios, ratio_of_sums


def test_longer_texts_have_more_weight() -> None:
    found = ratio_of_sums([1, 0], [2, 98], ["a", "b"])
    assert found.value == 0.01
    assert (found.n, found.clusters, found.interval) == (2, 2, None)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Clips of unlike length and difficulty, two turns each; the truth is known from how they are drawn."""
    generator = np.random.default_rng(5)
    hits, worlds = 0, 150
    for _ in range(worlds):
        lengths = generator.integers(3, 30, size=40)
        chance = generator.beta(2, 8, size=40)
        errors = [int(generator.binomial(n, p)) for n, p in zip(lengths, chance, strict=True) for _ in range(2)]
        words = [int(n) for n in lengths for _ in range(2)]
        interval = ratio_of_sums(
            errors, words, [clip // 2 for clip in range(80)], sampling=Sampling(resamples=400)
        ).interval
        assert interval is not None
        hits += interval.contains(0.2)
    assert 0.88 <= hits / worlds <= 0.99


def test_repeated_clips_do_not_narrow_the_interval() -> None:
    errors, words, clips = [0, 1, 2, 3, 4, 5], [10] * 6, list("abcdef")
    once = ratio_of_sums(errors, words, clips)
    thrice = ratio_of_sums(errors * 3, words * 3, clips * 3)
    assert once.value == thrice.value
    assert once.interval == thrice.interval


def test_what_is_hard_for_both_sides_does_not_widen_their_difference() -> None:
    """Clips of very unlike difficulty; the second side makes one error more in each."""
    words, errors = [10] * 20, list(range(20))
    first, second = list(zip(errors, words, strict=True)), [(n + 1, 10) for n in errors]
    found = difference_of_ratios(first, second, range(20))
    assert found.value == pytest.approx(0.1) and found.interval is not None
    assert (found.interval.low, found.interval.high) == (pytest.approx(0.1), pytest.approx(0.1))
    swapped = difference_of_ratios(second, first, range(20))
    assert swapped.value == -found.value
    assert difference_of_ratios(first[:3], second[:3], range(3)).interval is None


@pytest.mark.parametrize("wrong", [([], [], []), ([1], [0], ["a"]), ([1, 2], [1], ["a"])])
def test_invalid_ratios_are_refused(wrong: tuple[list[float], list[float], list[str]]) -> None:
    with pytest.raises(ValueError, match="ratio of sums"):
        ratio_of_sums(*wrong)
