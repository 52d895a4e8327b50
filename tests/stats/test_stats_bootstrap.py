import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.stats import bootstrap
from bench.stats.bootstrap import MIN_CLUSTERS, estimate

FEW = 300
"""Resamples in property tests: the properties hold for any number."""

pairs = st.lists(
    st.tuples(st.integers(-5000, 5000).map(float), st.integers(0, 11)), min_size=MIN_CLUSTERS, max_size=60
).filter(lambda rows: len({cluster for _, cluster in rows}) >= MIN_CLUSTERS)
quick = settings(max_examples=40, deadline=None)


def bounds(values, clusters, statistic="median", **options):
    interval = estimate(values, clusters, statistic, resamples=FEW, **options).interval
    assert interval is not None
    return np.array([interval.low, interval.high])


@quick
@given(pairs, st.integers(-1000, 1000), st.sampled_from(["median", "mean"]))
def test_shifting_the_values_shifts_the_interval(rows, shift, statistic) -> None:
    values, clusters = zip(*rows, strict=True)
    moved = [value + shift for value in values]
    assert bounds(moved, clusters, statistic) == pytest.approx(bounds(values, clusters, statistic) + shift, abs=1e-6)


@quick
@given(pairs, st.sampled_from([0.25, 2.0, 1e6]), st.sampled_from(["median", "mean"]))
def test_scaling_the_values_scales_the_interval(rows, scale, statistic) -> None:
    values, clusters = zip(*rows, strict=True)
    scaled = [value * scale for value in values]
    assert bounds(scaled, clusters, statistic) == pytest.approx(scale * bounds(values, clusters, statistic), rel=1e-9)


@quick
@given(pairs, st.randoms(), st.sampled_from(["median", "mean"]))
def test_order_changes_nothing(rows, random, statistic) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    before = estimate(*zip(*rows, strict=True), statistic, resamples=FEW)
    assert estimate(*zip(*shuffled, strict=True), statistic, resamples=FEW) == before


@quick
@given(st.integers(0, 2**32 - 1), st.integers(8, 30), st.integers(1, 5))
def test_the_interval_holds_the_estimate(seed, clips, turns) -> None:
    rng = np.random.default_rng(seed)
    values = (rng.normal(400, 50, clips)[:, None] + rng.normal(0, 10, (clips, turns))).ravel()
    for statistic in ("median", "mean"):
        found = estimate(values, np.repeat(np.arange(clips), turns), statistic)
        assert found.interval is not None
        assert found.interval.contains(found.value)


def test_resamples_match_a_loop_that_draws_whole_clusters() -> None:
    values = [float(v) for v in (5, 9, 1, 4, 4, 8, 2, 7, 3, 6, 11)]
    clusters = list("aabbccddeef")
    data, owner, count = bootstrap._canonical(values, clusters)
    draws = np.random.default_rng(3).multinomial(count, np.full(count, 1 / count), size=200)
    by_name = [[v for v, c in zip(values, clusters, strict=True) if c == name] for name in "abcdef"]
    pooled = [[v for k, times in enumerate(draw) for v in by_name[k] * times] for draw in draws]
    assert bootstrap._medians(data, owner, draws) == pytest.approx([np.median(p) for p in pooled])
    assert bootstrap._means(data, owner, draws) == pytest.approx([np.mean(p) for p in pooled])


def test_the_same_seed_gives_the_same_interval_and_another_one_does_not() -> None:
    values, clusters = np.random.default_rng(1).normal(size=40), np.arange(40)
    assert (bounds(values, clusters, seed=5) == bounds(values, clusters, seed=5)).all()
    assert (bounds(values, clusters, seed=5) != bounds(values, clusters, seed=6)).any()


@pytest.mark.parametrize(("clips", "why"), [(1, "1 cluster < 6"), (MIN_CLUSTERS - 1, "5 clusters < 6")])
def test_too_few_clusters_give_no_interval_and_say_so(clips, why) -> None:
    found = estimate([1.0, 2.0, 9.0] * clips, list(range(clips)) * 3)
    assert found.interval is None
    assert found.value == 2.0
    assert found.why_none == why


def test_equal_values_give_an_interval_without_width() -> None:
    found = estimate([7.0] * 10, range(10)).interval
    assert found is not None
    assert (found.low, found.high) == (7.0, 7.0)


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="as many"):
        estimate([1.0], [])


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """24 clips of 3 turns that share their clip's level: drawing turns one by one would cover far less than 95 %."""
    rng = np.random.default_rng(11)
    clusters = np.repeat(np.arange(24), 3)
    trials, clustered, naive = 200, 0, 0
    for _ in range(trials):
        values = np.repeat(rng.normal(0, 20, 24), 3) + rng.normal(0, 5, 72)
        clustered += _covers_zero(values, clusters)
        naive += _covers_zero(values, np.arange(72))
    assert 0.90 <= clustered / trials <= 0.995
    assert naive / trials < 0.85


def _covers_zero(values, clusters) -> bool:
    interval = estimate(values, clusters, resamples=FEW).interval
    assert interval is not None
    return interval.contains(0.0)
