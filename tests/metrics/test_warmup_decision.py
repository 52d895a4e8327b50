"""The rule by which a label counts as warm, on latencies whose course is known."""

from __future__ import annotations

import math
import random
from statistics import mean

import pytest

from firstpacket.bench.metrics.warmup_decision import is_steady, state
from firstpacket.bench.record.rules import WarmupRule

RULE = WarmupRule("clip")


def course(excess: float, decay: float, noise: float, seed: int) -> list[float]:
    """Latencies in ms that fall exponentially to 100, with lognormal noise and one stall in twenty."""
    chance = random.Random(seed)
    return [
        100
        * (1 + excess * math.exp(-turn / decay))
        * math.exp(noise * chance.gauss(0, 1))
        * (1.8 if chance.random() < 0.05 else 1)
        for turn in range(RULE.most)
    ]


def turns_until_it_ends(latencies: list[float]) -> int:
    return next(n for n in range(1, RULE.most + 1) if state(latencies[:n], RULE) != "unsteady")


def test_a_label_warm_from_the_start_is_soon_steady() -> None:
    for noise, most in ((0.01, 6.5), (0.05, 7), (0.10, 9)):
        asked = [turns_until_it_ends(course(0, 1, noise, seed)) for seed in range(300)]
        assert min(asked) == RULE.window
        assert mean(asked) < most


@pytest.mark.parametrize(("noise", "most"), [(0.01, 0.03), (0.03, 0.05), (0.08, 0.08)])
def test_the_remaining_excess_at_the_end_of_warm_up_is_small(noise: float, most: float) -> None:
    """Twice as slow at first, a third less each turn: what is left in nineteen cases of twenty."""
    left = []
    for seed in range(300):
        asked = turns_until_it_ends(course(1.0, 3.0, noise, seed))
        left.append(math.exp(-asked / 3.0))
    assert sorted(left)[int(0.95 * len(left))] <= most


def test_one_stall_does_not_change_the_decision() -> None:
    assert is_steady([100, 100, 100, 100, 500, 100], RULE)
    assert is_steady([500, 100, 100, 100, 100, 100], RULE)


def test_falling_latencies_are_not_steady() -> None:
    assert not is_steady([120, 116, 112, 108, 104, 100], RULE)
    assert is_steady([100, 104, 108, 104, 108, 112], RULE), "slower is not colder"


def test_wild_latencies_are_not_steady() -> None:
    assert not is_steady([100, 140, 100, 140, 100, 140], RULE)


def test_an_answer_before_the_end_of_speech_can_be_steady() -> None:
    assert is_steady([-100, -104, -97, -101, -106, -100], RULE)
    assert not is_steady([-50, -60, -70, -80, -90, -100], RULE)


def test_differences_below_the_resolution_do_not_count() -> None:
    assert is_steady([3, 2.5, 2, 1.5, 1.2, 1.1], RULE)


def test_how_the_search_ends() -> None:
    wild = [100.0, 200.0] * 10
    assert state(wild[:19], RULE) == "unsteady"
    assert state(wild, RULE) == "limit"
    assert state([None], RULE) == "unsteady"
    assert state([None, None], RULE) == "silent"
    assert state([100.0, None, 100.0, None, 100.0], RULE) == "unsteady"
    assert state([100.0, None, 100.0, None, 100.0, 100.0, None, 100.0, 100.0], RULE) == "steady"


@pytest.mark.parametrize("window", [-1, 0, 1, 3])
def test_a_rule_without_a_window_is_never_met(window: int) -> None:
    assert not is_steady([], WarmupRule("clip", window=window))
    assert not is_steady([1.0, 1.0], WarmupRule("clip", window=window))
