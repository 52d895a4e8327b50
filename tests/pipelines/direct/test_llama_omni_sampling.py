"""Greedy and nucleus sampling."""

from __future__ import annotations

import pytest
import torch

from firstpacket.pipelines.direct.llama_omni.sampling import Choices, Sampling

CPU = torch.device("cpu")
SHARES = torch.tensor([[0.5, 0.3, 0.15, 0.05]])


def draws(sampling: Sampling, count: int) -> list[int]:
    choices = Choices(sampling, CPU)
    choices.begin()
    return [int(choices.token(SHARES.log(), step)) for step in range(count)]


def test_temperature_zero_is_greedy() -> None:
    assert set(draws(Sampling(), 20)) == {0}


def test_sampling_follows_the_shares() -> None:
    drawn = torch.tensor(draws(Sampling(temperature=1.0), 4000)).bincount(minlength=4) / 4000
    torch.testing.assert_close(drawn, SHARES[0], atol=0.03, rtol=0)


def test_temperature_flattens() -> None:
    drawn = torch.tensor(draws(Sampling(temperature=2.0), 4000)).bincount(minlength=4) / 4000
    torch.testing.assert_close(drawn, SHARES[0].sqrt() / SHARES[0].sqrt().sum(), atol=0.03, rtol=0)


@pytest.mark.parametrize(("top_p", "left"), [(0.4, {0}), (0.6, {0, 1}), (0.9, {0, 1, 2}), (1e-6, {0})])
def test_top_p_leaves_the_smallest_set_that_reaches_it(top_p: float, left: set[int]) -> None:
    assert set(draws(Sampling(temperature=1.0, top_p=top_p), 300)) == left


def test_sampling_is_the_same_in_every_turn() -> None:
    choices = Choices(Sampling(temperature=1.0, seed=7), CPU)
    turns = []
    for _ in range(2):
        choices.begin()
        turns.append([int(choices.token(SHARES.log(), step)) for step in range(30)])
    assert turns[0] == turns[1]
    assert turns[0] != draws(Sampling(temperature=1.0, seed=8), 30)
