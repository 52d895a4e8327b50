"""The streaming encoder in training: its blocks, what they may see, and the features that it hears."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from firstpacket.bench.pipeline import Samples
from firstpacket.pipelines.direct.llama_omni.config import HOP
from firstpacket.pipelines.models.whisper_sizes import WhisperSizes
from firstpacket.pipelines.tools.training.block_encoder import encode_in_blocks
from firstpacket.pipelines.tools.training.block_features import GROUP_SAMPLES, causal_features, collate
from firstpacket.pipelines.tools.training.features import Masks
from firstpacket.pipelines.tools.training.whisper import Encoder

SIZES = WhisperSizes(state=16, heads=2, layers=2, decoder_layers=1, positions=100)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    torch.manual_seed(1)
    return Encoder(SIZES).eval()


def noise(samples: int, seed: int = 0) -> Samples:
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


def mel(features: int) -> Tensor:
    return torch.randn(2, SIZES.mels, features, generator=torch.Generator().manual_seed(2))


@torch.no_grad()
def test_one_block_is_the_published_computation(encoder: Encoder) -> None:
    heard = mel(2 * SIZES.positions)
    assert torch.equal(encode_in_blocks(encoder, heard, SIZES.positions), encoder(heard))


@torch.no_grad()
@pytest.mark.parametrize("block", [5, 10, 25, 40])
def test_a_frame_sees_its_block_and_all_before_it(encoder: Encoder, block: int) -> None:
    heard, changed = mel(200), mel(200)
    end = 2 * block
    changed[:, :, 2 * end :] += 1
    before, after = encode_in_blocks(encoder, heard, block), encode_in_blocks(encoder, changed, block)
    assert torch.equal(before[:, :end], after[:, :end])
    assert not torch.isclose(before[:, end:], after[:, end:]).all(-1).any()
    changed = mel(200)
    changed[:, :, 2 * block : 2 * end] += 1
    moved = ~torch.isclose(before, encode_in_blocks(encoder, changed, block), atol=1e-6).all(-1).all(0)
    assert not moved[:block].any() and moved[block:].all(), "the block that changed, and all that look back at it"


@torch.no_grad()
def test_a_short_last_block_is_what_it_would_be_alone(encoder: Encoder) -> None:
    heard = mel(130)
    torch.testing.assert_close(
        encode_in_blocks(encoder, heard[:, :, :130], 25)[:, :50], encode_in_blocks(encoder, heard[:, :, :100], 25)
    )


def test_features_are_those_of_the_samples_so_far() -> None:
    samples = noise(3 * GROUP_SAMPLES + 7)
    whole = causal_features(samples, SIZES.mels)
    assert whole.groups == 4
    cut = causal_features(samples[: 2 * GROUP_SAMPLES], SIZES.mels)
    assert torch.equal(cut.mel, whole.mel[:, : 2 * 10])
    louder = samples.copy()
    louder[GROUP_SAMPLES + 3 * HOP :] *= 100
    assert torch.equal(causal_features(louder, SIZES.mels).mel[:, :13], whole.mel[:, :13])
    assert (causal_features(louder, SIZES.mels).mel[:, 14:30] > whole.mel[:, 14:30]).any(0).all()


def test_every_row_of_a_batch_ends_in_silence_as_long_as_the_longest() -> None:
    some = [causal_features(noise(samples), SIZES.mels) for samples in (GROUP_SAMPLES, 3 * GROUP_SAMPLES)]
    batch = collate(some, 300, np.random.default_rng(0))
    assert batch.shape == (2, SIZES.mels, 30)
    for row, one in zip(batch, some, strict=True):
        assert torch.equal(row[:, : one.mel.shape[1]], one.mel.float())
    assert collate(some, 2, np.random.default_rng(0)).shape[2] == 20, "no more than the encoder can hear"
    lengths = {collate(some, 300, np.random.default_rng(seed), Masks()).shape[2] for seed in range(40)}
    assert min(lengths) == 30 and max(lengths) > 150, "half of the batches that are learnt from end in more silence"
