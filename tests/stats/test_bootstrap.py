import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from firstpacket.bench.stats import bootstrap
from firstpacket.bench.stats.bootstrap import MIN_CLUSTERS, Sampling, estimate

FEW = 300
"""Resamples in property tests: the properties hold for any number."""

pairs = st.lists(
    st.tuples(st.integers(-5000, 5000).map(float), st.integers(0, 11)), min_size=MIN_CLUSTERS, max_size=60
).filter(lambda rows: len({cluster for _, cluster in rows}) >= MIN_CLUSTERS)
quick = settings(max_examples=40)


def bounds(values, clusters, statistic="median", blocks=None, **options):
    interval = estimate(
        values, clusters, statistic, blocks=blocks, sampling=Sampling(resamples=FEW, **options)
    ).interval
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
    before = estimate(*zip(*rows, strict=True), statistic, sampling=Sampling(resamples=FEW))
    assert estimate(*zip(*shuffled, strict=True), statistic, sampling=Sampling(resamples=FEW)) == before


@quick
@given(st.integers(0, 2**32 - 1), st.integers(8, 30), st.integers(1, 5))
def test_the_interval_contains_the_estimate(seed, clips, turns) -> None:
    rng = np.random.default_rng(seed)
    values = (rng.normal(400, 50, clips)[:, None] + rng.normal(0, 10, (clips, turns))).ravel()
    for statistic in ("median", "mean"):
        found = estimate(values, np.repeat(np.arange(clips), turns), statistic)
        assert found.interval is not None
        assert found.interval.contains(found.value)


@pytest.mark.parametrize("middle", [0.0, 0.5, 2.0])
def test_resamples_match_a_loop_that_draws_whole_clusters(monkeypatch, middle) -> None:
    monkeypatch.setattr(bootstrap, "_MIDDLE", middle)  # the search goes on outwards, however little it began with
    values = np.array([1.0, 2, 3, 4, 4, 5, 6, 7, 8, 9, 11])
    owner = np.array([0, 3, 4, 1, 2, 0, 4, 3, 2, 1, 5])
    draws = np.random.default_rng(3).multinomial(6, np.full(6, 1 / 6), size=200)
    pooled = [np.concatenate([np.tile(values[owner == k], times) for k, times in enumerate(draw)]) for draw in draws]
    assert bootstrap._medians(values, owner, draws) == pytest.approx([np.median(p) for p in pooled])
    assert bootstrap._means(values, owner, draws) == pytest.approx([np.mean(p) for p in pooled])


def test_few_clusters_widen_the_interval_like_students_t() -> None:
    """Of the mean of equal clusters, the interval has nearly the width that Student's t gives."""
    values = np.random.default_rng(2).normal(size=12)
    low, high = bounds(values, range(12), "mean", level=0.9)
    t_low, t_high = stats.t.interval(0.9, 11, values.mean(), values.std(ddof=1) / 12**0.5)
    assert high - low == pytest.approx(t_high - t_low, rel=0.1)
    plain = np.quantile(bootstrap._means(values, np.arange(12), bootstrap.draws_of(12, FEW, 0)), (0.05, 0.95))
    assert high - low > 1.05 * (plain[1] - plain[0])


def test_a_higher_level_gives_a_wider_interval() -> None:
    values = np.random.default_rng(2).normal(size=40)
    widths = [np.diff(bounds(values, range(40), level=level))[0] for level in (0.8, 0.9, 0.95, 0.99)]
    assert widths == sorted(set(widths))


def test_effects_of_whole_blocks_widen_the_interval() -> None:
    """Twelve clips in ten blocks, and in every block something else that all clips felt."""
    rng = np.random.default_rng(6)
    clips, blocks = np.repeat(np.arange(12), 10), np.tile(np.arange(10), 12)
    steady = rng.normal(0, 1, 120)
    moved = steady + 3 * rng.normal(0, 1, 10)[blocks]
    alone, both = bounds(moved, clips), bounds(moved, clips, blocks=blocks)
    assert np.diff(both) > 1.5 * np.diff(alone)
    assert (both == bounds(moved, blocks)).all()
    few = blocks.clip(max=MIN_CLUSTERS - 2)
    assert (bounds(moved, clips, blocks=few) == alone).all(), "five blocks cannot be drawn from"
    with pytest.raises(ValueError, match="as many"):
        estimate(steady, clips, blocks=blocks[:3])


def test_many_clusters_are_joined_into_as_many_as_can_be_drawn() -> None:
    count = 3 * bootstrap.MAX_CLUSTERS
    values = np.random.default_rng(1).normal(size=count)
    joined = bootstrap._joined(np.arange(count))
    assert np.bincount(joined).tolist() == [3] * bootstrap.MAX_CLUSTERS
    assert (np.diff(joined) >= 0).all()
    found = estimate(values, range(count), "mean")
    assert found.clusters == count
    assert found.interval is not None
    assert found.interval.high - found.interval.low == pytest.approx(2 * 1.96 * values.std() / count**0.5, rel=0.1)


def test_the_same_seed_gives_the_same_interval_and_another_one_does_not() -> None:
    values, clusters = np.random.default_rng(1).normal(size=40), np.arange(40)
    assert (bounds(values, clusters, seed=5) == bounds(values, clusters, seed=5)).all()
    assert (bounds(values, clusters, seed=5) != bounds(values, clusters, seed=6)).any()


@pytest.mark.parametrize("clips", [1, MIN_CLUSTERS - 1])
def test_too_few_clusters_give_no_interval(clips) -> None:
    found = estimate([1.0, 2.0, 9.0] * clips, list(range(clips)) * 3)
    assert found.interval is None
    assert found.value == 2.0
    assert found.clusters == clips


def test_equal_values_give_an_interval_without_width() -> None:
    found = estimate([7.0] * 10, range(10)).interval
    assert found is not None
    assert (found.low, found.high) == (7.0, 7.0)


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="as many"):
        estimate([1.0], [])


@pytest.mark.parametrize(("clips", "turns"), [(50, 1), (12, 6)])
def test_intervals_cover_the_truth_about_as_often_as_they_say(clips, turns) -> None:
    """Turns of a clip share its level: drawn one by one they would cover far less than 95 %."""
    rng = np.random.default_rng(11)
    clusters = np.repeat(np.arange(clips), turns)
    trials, clustered, naive = 300, 0, 0
    for _ in range(trials):
        values = np.repeat(rng.normal(0, 20, clips), turns) + rng.normal(0, 5, clips * turns)
        clustered += _covers_zero(values, clusters)
        naive += _covers_zero(values, range(clips * turns))
    assert 0.92 <= clustered / trials <= 0.98
    assert turns == 1 or naive / trials < 0.85


def _covers_zero(values, clusters) -> bool:
    interval = estimate(values, clusters, sampling=Sampling(resamples=1000)).interval
    assert interval is not None
    return interval.contains(0.0)
