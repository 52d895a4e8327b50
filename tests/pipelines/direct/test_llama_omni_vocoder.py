"""The vocoder at a few lengths, filled up with zeros: the same sound as at the exact length."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from firstpacket.pipelines.direct.llama_omni import dummy
from firstpacket.pipelines.direct.llama_omni.vocoder import Vocoder, filled_up
from firstpacket.pipelines.models.packing import pack


@pytest.fixture(scope="module")
def pair() -> tuple[Vocoder, Vocoder]:
    """The same weights, plain and packed; biases that are heard, so that a tail of them would be."""
    torch.manual_seed(0)
    plain, packed = (Vocoder(replace(dummy.config("tiny").vocoder, first_channels=32)).eval() for _ in range(2))
    plain.requires_grad_(False)
    for name, parameter in plain.named_parameters():
        if name.endswith("bias"):
            parameter.uniform_(-0.3, 0.3)
    packed.load_state_dict(plain.state_dict())
    pack(packed.requires_grad_(False))
    packed.few_lengths = True
    return plain, packed


@settings(max_examples=25)
@given(frames=st.lists(st.integers(1, 9), min_size=1, max_size=12), seed=st.integers(0, 99))
def test_sound_at_a_longer_length_is_the_same(pair: tuple[Vocoder, Vocoder], frames: list[int], seed: int) -> None:
    plain, packed = pair
    units = torch.randint(1000, (len(frames),), generator=torch.Generator().manual_seed(seed))
    durations = torch.tensor(frames)
    expected = plain.sound(plain.embed(units), durations, sum(frames))
    assert expected.shape == (320 * sum(frames),)
    ours = packed.sound(packed.embed(units), durations, sum(frames))
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-6)


@given(frames=st.integers(1, 2000))
def test_padded_lengths_are_few_and_close(frames: int) -> None:
    assert frames <= filled_up(frames) < frames + 16
    assert len({filled_up(n) for n in range(1, 129)}) == 12
