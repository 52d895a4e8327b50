"""Measured turns that are slower at the beginning are detected, whatever the order of clips."""

from __future__ import annotations

import random

import pytest
from support.runs import make_turn

from firstpacket.bench.metrics.drift import ALPHA, early_drift
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.run.schedule.base import PlannedTurn
from firstpacket.bench.run.schedule.orders import measured

MS = 1_000_000


def turns(clips: int, count: int, cold: float, decay: float, seed: int = 0) -> list[Turn]:
    """100 ms and more by clip, `cold` times as much on top at first."""
    chance = random.Random(seed)
    return [
        make_turn(
            turn=ask.turn,
            block=ask.block,
            utterance=ask.utterance,
            figures={"first_packet_latency": round(latency(ask, chance, cold, decay) * MS)},
        )
        for ask in measured(["a"], [str(number) for number in range(clips)], count, seed)
    ]


def latency(ask: PlannedTurn, chance: random.Random, cold: float, decay: float) -> float:
    usual = 100 + 5 * int(ask.utterance)
    return usual * chance.lognormvariate(0, 0.05) * (1 + cold * 2.0 ** (-ask.turn / decay))


@pytest.mark.parametrize(("clips", "by_clip"), [(10, True), (50, False)])
def test_a_label_that_was_not_warm_is_detected(clips: int, by_clip: bool) -> None:
    found = early_drift(turns(clips, 50, cold=2.0, decay=5))
    assert found is not None
    assert (found.early, found.later, found.by_clip) == (10, 40, by_clip)
    assert found.notable
    assert found.excess.value > 20


def test_differences_of_clips_and_noise_are_not_drift() -> None:
    found = [early_drift(turns(clips, 50, 0.0, 1.0, seed)) for clips in (10, 50) for seed in range(100)]
    assert sum(each is not None and each.p <= ALPHA for each in found) <= 7
    assert sum(each is not None and each.notable for each in found) <= 7


def test_a_negligible_drift_is_not_notable() -> None:
    found = early_drift(turns(10, 1000, cold=0.05, decay=1000))
    assert found is not None
    assert found.p <= ALPHA
    assert not found.notable


def test_too_few_turns_give_no_estimate() -> None:
    assert early_drift(turns(5, 19, 2.0, 3)) is None
    assert early_drift([]) is None


def test_at_most_a_thousand_turns_are_used() -> None:
    found = early_drift(turns(10, 3000, 0.0, 1.0))
    assert found is not None
    assert found.early + found.later <= 1000


def test_repeated_clips_are_compared_with_themselves() -> None:
    """Clips differ by up to 45 ms, the noise of a median of twenty turns is about 2 ms."""
    found = early_drift(turns(10, 100, 0.0, 1.0))
    assert found is not None and found.excess.interval is not None
    assert found.excess.interval.high - found.excess.interval.low < 12
