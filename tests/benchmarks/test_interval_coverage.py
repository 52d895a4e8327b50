"""How often the intervals cover the truth, against the stated 95 %.

Prints a table; `FIRSTPACKET_REPETITIONS=10000` makes the one in docs/evidence.md. Every repetition draws latencies of
two labels that differ by nothing but noise, on clips that have a difference of their own where there are several pairs
a clip, and asks whether the interval holds the true ratio of 1, or the true mean.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from scipy import stats

from firstpacket.bench.stats import bootstrap
from firstpacket.bench.stats.bootstrap import estimate
from firstpacket.bench.stats.paired import paired_ratio

REPETITIONS = int(os.environ.get("FIRSTPACKET_REPETITIONS", "400"))
NOISES: dict[str, Callable[[np.random.Generator, tuple[int, int]], np.ndarray]] = {
    "Gaussian": lambda rng, shape: rng.normal(0, 0.1, shape),
    "heavy tails": lambda rng, shape: 0.05 * rng.standard_t(2, shape),
    "bimodal": lambda rng, shape: rng.normal(0, 0.03, shape) + 0.3 * (rng.random(shape) < 0.3),
    "with stalls": lambda rng, shape: (
        rng.normal(0, 0.05, shape) + rng.exponential(1.0, shape) * (rng.random(shape) < 0.05)
    ),
}
"""Of log latencies; the coefficient of variation is about 10 % without the tails."""
Say = Callable[[str], None]
PAIRS = [(50, 1), (100, 1), (200, 1), (25, 2), (25, 8), (12, 10)]
"""Clips, and pairs on each."""


@pytest.fixture
def say(benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str]) -> Say:
    """Prints a line, and keeps it with the benchmark."""

    def line(text: str) -> None:
        benchmark.extra_info["coverage"] = text
        benchmark.pedantic(lambda: None, rounds=1)
        with capsys.disabled():
            sys.stdout.write(f"\n{text}")

    return line


def made(noise: str, clips: int, turns: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Latencies (clips, turns) of two labels; several pairs of a clip share half of the noise's variance of 0.1²."""
    before, after = (NOISES[noise](rng, (clips, turns)) for _ in range(2))
    own = rng.normal(0, 0.07, (clips, 1)) if turns > 1 else 0.0
    return 500 * np.exp(before), 500 * np.exp(after + own)


@pytest.mark.parametrize(("clips", "turns"), PAIRS)
@pytest.mark.parametrize("noise", NOISES)
def test_intervals_of_the_median_ratio_cover(say: Say, noise: str, clips: int, turns: int) -> None:
    rng = np.random.default_rng([clips, turns, list(NOISES).index(noise)])
    names = tuple(f"clip {clip}" for clip in range(clips) for _ in range(turns))
    held = 0
    for _ in range(REPETITIONS):
        before, after = made(noise, clips, turns, rng)
        found = paired_ratio(before.ravel().tolist(), after.ravel().tolist(), names)
        assert found is not None and found.interval is not None
        held += found.interval.contains(1.0)
    share = held / REPETITIONS
    say(f"median ratio | {noise} | {clips} x {turns} | {100 * share:.1f} %")
    sampling = 3 * (0.05 * 0.95 / REPETITIONS) ** 0.5
    assert 0.93 - sampling <= share <= 0.97 + sampling


@pytest.mark.parametrize(("clips", "turns"), [(50, 1), (100, 1), (25, 8)])
@pytest.mark.parametrize("order", ["interleaved", "one after the other"])
def test_under_drift(say: Say, order: str, clips: int, turns: int) -> None:
    """A random walk of the machine that reaches 10 % by the end of the run; pairs as the plan asks them, or one label
    whole and then the other, as with a stored baseline. Only printed: no interval knows of the machine's drift."""
    rng = np.random.default_rng([clips, turns])
    names = tuple(f"clip {clip}" for _ in range(turns) for clip in range(clips))
    pairs = clips * turns
    held = 0
    for _ in range(REPETITIONS):
        walk = np.cumsum(rng.normal(0, 0.1 / np.sqrt(2 * pairs), 2 * pairs))
        drift = walk.reshape(pairs, 2).T if order == "interleaved" else walk.reshape(2, pairs)
        before, after = 500 * np.exp(drift + rng.normal(0, 0.1, (2, pairs)))
        found = paired_ratio(before.tolist(), after.tolist(), names)
        assert found is not None and found.interval is not None
        held += found.interval.contains(1.0)
    say(f"median ratio | drift, {order} | {clips} x {turns} | {100 * held / REPETITIONS:.1f} %")


VALUES: dict[str, tuple[Callable[[np.random.Generator, int], np.ndarray], float]] = {
    "log-normal, sigma 0.3": (lambda rng, n: rng.lognormal(0, 0.3, n), float(np.exp(0.3**2 / 2))),
    "log-normal, sigma 0.8": (lambda rng, n: rng.lognormal(0, 0.8, n), float(np.exp(0.8**2 / 2))),
    "rare stalls": (lambda rng, n: NOISES["with stalls"](rng, (n, 1)).ravel(), 0.05),
    "Student's t, 3 degrees": (lambda rng, n: rng.standard_t(3, n), 0.0),
}
"""Values and their true mean."""


@pytest.mark.parametrize("clips", [24, 50, 100])
@pytest.mark.parametrize("kind", VALUES)
def test_means_compared_with_bca(say: Say, kind: str, clips: int) -> None:
    """Both are expanded alike and rest on the same resamples, so that nothing but BCa differs. Only printed."""
    draw, truth = VALUES[kind]
    rng = np.random.default_rng([clips, list(VALUES).index(kind)])
    ours = bca = 0
    for _ in range(REPETITIONS):
        values = draw(rng, clips)
        replicas = bootstrap._replicas(values, np.arange(clips), "mean", bootstrap.SAMPLING)
        ours += bootstrap.expanded(replicas, clips).contains(truth)
        bca += expanded_bca(values, replicas).contains(truth)
    say(f"mean | {kind} | {clips} | ours {100 * ours / REPETITIONS:.1f} % | BCa {100 * bca / REPETITIONS:.1f} %")


def expanded_bca(values: np.ndarray, replicas: np.ndarray) -> bootstrap.Interval:
    """BCa of a mean (Efron and Tibshirani, 1993, section 14.3), with Student's t as our intervals have it."""
    clips = len(values)
    pulls = values - values.mean()
    acceleration = (pulls**3).sum() / (6 * (pulls**2).sum() ** 1.5)
    bias = stats.norm.ppf(np.mean(replicas < values.mean()))
    reach = np.sqrt(clips / (clips - 1)) * stats.t.ppf(0.975, clips - 1)
    ends = [stats.norm.cdf(bias + (bias + z) / (1 - acceleration * (bias + z))) for z in (-reach, reach)]
    return bootstrap.Interval(*map(float, np.quantile(replicas, ends)))


@pytest.mark.parametrize("shift", [0.0, 0.05])
def test_what_hits_whole_blocks_is_covered(say: Say, shift: float) -> None:
    """25 clips in 8 blocks, with and without something in every block that all its pairs felt."""
    rng = np.random.default_rng(3)
    clips = tuple(f"clip {clip}" for clip in range(25) for _ in range(8))
    blocks = tuple(f"block {block}" for _ in range(25) for block in range(8))
    both = alone = 0
    for _ in range(REPETITIONS):
        values = (0.1 * rng.standard_t(3, (25, 8)) + rng.normal(0, shift, (1, 8))).ravel().tolist()
        found = [estimate(values, clips, blocks=grouping).interval for grouping in (blocks, None)]
        assert found[0] is not None and found[1] is not None
        both, alone = both + found[0].contains(0.0), alone + found[1].contains(0.0)
    say(f"blocks | {shift} | by both {100 * both / REPETITIONS:.1f} % | by clip {100 * alone / REPETITIONS:.1f} %")
    assert both / REPETITIONS >= 0.90
    assert shift == 0 or alone / REPETITIONS < 0.85
