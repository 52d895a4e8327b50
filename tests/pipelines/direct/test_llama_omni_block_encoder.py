"""Features and encoder block by block, against the definitions written out over whole utterances."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from support.block_encoder import defined_embeddings, defined_mel
from support.frames import in_frames
from torch import Tensor
from torch.nn import functional

from firstpacket.bench.errors import UsageError
from firstpacket.bench.pipeline import Samples
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.direct.llama_omni import dummy
from firstpacket.pipelines.direct.llama_omni.block_encoder import BlockEncoder, check_blocks
from firstpacket.pipelines.direct.llama_omni.blocks import OVERLAP, Blocks
from firstpacket.pipelines.direct.llama_omni.config import OmniConfig
from firstpacket.pipelines.direct.llama_omni.encoder import EncoderCache
from firstpacket.pipelines.direct.llama_omni.features import CausalLogMel
from firstpacket.pipelines.direct.llama_omni.model import LlamaOmni
from firstpacket.pipelines.models.whisper_sizes import WhisperSizes
from firstpacket.pipelines.tools.training.block_encoder import encode_in_blocks
from firstpacket.pipelines.tools.training.block_features import causal_features
from firstpacket.pipelines.tools.training.whisper import Encoder

CPU = torch.device("cpu")
MS = 16
"""Samples."""
BLOCKS = [100 * MS, 500 * MS, 700 * MS, 2000 * MS, None]
SPEECH: Samples = np.random.default_rng(1).normal(0, 0.1, 2345 * MS + 7).astype(np.float32)
"""24 embeddings, the last of which is padded."""
EMBEDDINGS = 24


@pytest.fixture(scope="module")
def model() -> LlamaOmni:
    """Random values, biases and norms included: a zero and the convolution of one then differ."""
    made = dummy.build("tiny", 0, CPU, torch.float32).model
    for part in (made.encoder, made.adaptor):
        for each in part.parameters():
            if each.dim() == 1:
                each += torch.empty_like(each).normal_(0, 0.3, generator=torch.Generator().manual_seed(each.numel()))
    return made


@torch.inference_mode()
def embeddings(model: LlamaOmni, speech: Samples, block: int | None, frame: int = 320) -> list[Tensor]:
    """Of each block, the last one included."""
    encoder = BlockEncoder(model, block)
    blocks, trace = encoder.blocks(), Trace(MonotonicClock())
    made = [encoder.embeddings(one, trace) for one in blocks.complete(in_frames(speech, frame))]
    rest = blocks.rest()
    return made if rest is None else [*made, encoder.embeddings(rest, trace)]


def test_causal_features_are_as_defined() -> None:
    causal = CausalLogMel(80, CPU)
    padded = np.concatenate((np.zeros(OVERLAP, np.float32), SPEECH, np.zeros(-len(SPEECH) % 1600, np.float32)))
    torch.testing.assert_close(causal(padded), defined_mel(SPEECH), rtol=0, atol=1e-5)


def test_silence_is_at_the_fixed_floor() -> None:
    assert CausalLogMel(80, CPU)(np.zeros(OVERLAP + 1600, np.float32)).unique().tolist() == [(1.5 - 8 + 4) / 4]


@pytest.mark.parametrize("block", BLOCKS)
def test_blocks_are_the_masked_whole(model: LlamaOmni, block: int | None) -> None:
    expected = defined_embeddings(model, defined_mel(SPEECH), block)
    ours = torch.cat(embeddings(model, SPEECH, block))
    assert ours.shape == (EMBEDDINGS, model.config.llm.hidden)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("block", BLOCKS)
def test_training_computes_the_same_over_whole_batches(model: LlamaOmni, block: int | None) -> None:
    """The encoder learns in another form: its features are kept in 16 bit, so the same ones are given to both."""
    sizes = model.config.encoder
    trained = Encoder(WhisperSizes.with_encoder(sizes))
    trained.load_state_dict(model.encoder.state_dict())
    mel = defined_mel(SPEECH)
    of_training = causal_features(SPEECH, sizes.mels).mel.float()
    torch.testing.assert_close(of_training, mel, rtol=0, atol=1e-3)
    frames = encode_in_blocks(trained.eval(), mel[None], block // 320 if block else sizes.positions)
    ours = torch.cat(embeddings(model, SPEECH, block))
    torch.testing.assert_close(ours, model.adaptor(frames), rtol=0, atol=1e-5)


@pytest.mark.parametrize("frame", [1, 333, 1600, 16_000, len(SPEECH)])
def test_frames_of_any_length_give_the_same(model: LlamaOmni, frame: int) -> None:
    expected = embeddings(model, SPEECH, 500 * MS)
    ours = embeddings(model, SPEECH, 500 * MS, frame)
    assert [len(each) for each in ours] == [5, 5, 5, 5, 4]
    for mine, theirs in zip(ours, expected, strict=True):
        assert torch.equal(mine, theirs)


def test_in_16_bit_blocks_are_nearly_the_same(model: LlamaOmni) -> None:
    """On the CPU attention is then computed head by head."""
    halved = replace(model, dtype=torch.bfloat16, encoder=deepcopy(model.encoder), adaptor=deepcopy(model.adaptor))
    for part in (halved.encoder, halved.adaptor):
        part.to(torch.bfloat16)
    expected, ours = (torch.cat(embeddings(each, SPEECH, 500 * MS)).float() for each in (model, halved))
    assert functional.cosine_similarity(ours, expected).min() > 0.999
    assert (ours - expected).abs().max() < 0.05 * expected.abs().max()


def test_later_samples_change_nothing_before_them(model: LlamaOmni) -> None:
    """Not one bit: a block does not see the sample after its last."""
    other = SPEECH.copy()
    other[1000 * MS :] *= -3
    before, after = embeddings(model, SPEECH, 500 * MS), embeddings(model, other, 500 * MS)
    assert [torch.equal(*pair) for pair in zip(before, after, strict=True)] == [True, True, False, False, False]


@torch.inference_mode()
def test_one_block_of_the_whole_window_is_the_full_encoder(model: LlamaOmni) -> None:
    mel = model.features(SPEECH)
    cache = EncoderCache(model.config.encoder, CPU, torch.float32)
    assert torch.equal(model.encoder.encode_block(mel, cache), model.encoder(mel))
    assert cache.used == model.config.encoder.positions


@pytest.mark.parametrize(
    ("samples", "block", "expected"),
    [
        (0, 500, [1]),
        (1, 500, [1]),
        (1600, 500, [1]),
        (1601, 500, [2]),
        (500 * MS, 500, [5]),
        (1000 * MS, 500, [5, 5]),
        (1000 * MS + 1, 500, [5, 5, 1]),
        (2999 * MS, 1000, [10, 10, 10]),
    ],
)
def test_the_last_block_is_padded_to_a_whole_embedding(samples: int, block: int, expected: list[int]) -> None:
    blocks = Blocks(block * MS, 1600, 480_000)
    made = list(blocks.complete(in_frames(np.ones(samples, np.float32), 320)))
    rest = blocks.rest()
    made = made if rest is None else [*made, rest]
    assert [len(one) // 1600 for one in made] == expected
    assert sum(one[-(len(one) // 1600 * 1600) :].sum() for one in made) == samples


def changed(**parts: Any) -> OmniConfig:
    """The tiny dummy's configuration: 1500 positions, of which 5 are joined."""
    config = dummy.config("tiny")
    changes = {name: change for name, change in parts.items() if isinstance(change, dict)}
    inner = {name: replace(getattr(config, name), **change) for name, change in changes.items()}
    return replace(config, **(parts | inner))


@pytest.mark.parametrize(
    ("config", "block_ms", "message"),
    [
        (changed(adaptor={"joined": 6}), 500, r"encoder-block is 500 ms, but .* joins 6 .* Use a multiple of 120 ms"),
        (changed(encoder={"positions": 50}), 1500, r"is 1500 ms, but this model's encoder hears no more than 1 s"),
        (changed(adaptor={"joined": 7}), 700, "joins 7 of 1500 encoder frames"),
        (changed(longest_prompt=365), 500, "its prompt has 66 text tokens of 365 positions"),
    ],
    ids=["embeddings of 120 ms", "an encoder of 1 s", "a window that is not whole", "a prompt that would be cut"],
)
def test_models_that_cannot_take_such_blocks_are_refused(config: OmniConfig, block_ms: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_blocks(config, block_ms * MS, text=66)


@pytest.mark.parametrize("block", BLOCKS)
def test_blocks_that_fit_are_taken(block: int | None) -> None:
    check_blocks(dummy.config("8b"), block, text=66)
