"""A least length of replies; how tokens are sampled is tested with the direct pipeline."""

from __future__ import annotations

import torch

from firstpacket.pipelines.models.sampling import Sampler, Sampling

CPU = torch.device("cpu")
SCORES = torch.tensor([[0.1, 0.5, 0.3, 0.2]]).log()


def test_greedy_decoding_does_not_end_before_the_fewest_tokens() -> None:
    choices = Sampler(Sampling(), CPU, ends=(1, 3), fewest=2)
    choices.begin()
    assert [int(choices.token(SCORES, step)) for step in range(4)] == [2, 2, 1, 1]
    assert SCORES[0, 1] > -1, "the model's scores are left as they are"


def test_sampling_does_not_end_before_the_fewest_tokens() -> None:
    choices = Sampler(Sampling(temperature=5.0), CPU, ends=(1, 3), fewest=200)
    choices.begin()
    assert {int(choices.token(SCORES, step)) for step in range(200)} == {0, 2}
    assert {int(choices.token(SCORES, step)) for step in range(200, 400)} == {0, 1, 2, 3}
