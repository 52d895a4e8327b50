from __future__ import annotations

import numpy as np
import pytest

from firstpacket.bench.stats.bootstrap import Sampling
from firstpacket.bench.stats.contrast import median_contrast


def test_the_difference_of_two_medians() -> None:
    found = median_contrast([1, 2, 3, 10, 20, 30], [False] * 3 + [True] * 3, list("abcabc"))
    assert (found.value, found.n, found.clusters, found.interval) == (18, 3, 3, None)


@pytest.mark.parametrize(("values", "inside", "clusters"), [([], [], []), ([1], [True], ["a"]), ([1, 2], [True], "a")])
def test_two_groups_are_needed(values: list[float], inside: list[bool], clusters: list[str]) -> None:
    with pytest.raises(ValueError, match="two groups"):
        median_contrast(values, inside, clusters)


def test_the_interval_covers_as_often_as_it_says() -> None:
    """Twelve clips of several turns each, a true difference of 5: within 95 % intervals, give or take chance."""
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        clips = np.repeat(np.arange(12), 6)
        inside = rng.random(72) < 0.4
        values = 3 * rng.standard_normal(12)[clips] + rng.standard_normal(72) + 5 * inside
        interval = median_contrast(
            values.tolist(), inside.tolist(), clips.tolist(), sampling=Sampling(resamples=500)
        ).interval
        assert interval is not None
        covered += interval.contains(5)
    assert covered / 200 >= 0.90


def test_the_order_of_the_values_changes_nothing() -> None:
    rng = np.random.default_rng(2)
    values, inside, clips = rng.random(40), rng.random(40) < 0.5, np.arange(40) % 8
    order = rng.permutation(40)
    first = median_contrast(values.tolist(), inside.tolist(), clips.tolist())
    assert first == median_contrast(values[order].tolist(), inside[order].tolist(), clips[order].tolist())
