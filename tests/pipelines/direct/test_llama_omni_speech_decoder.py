"""The incremental speech decoder gives what the published one gives by starting over at every token."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from firstpacket.pipelines.direct.llama_omni.config import SpeechDecoderConfig
from firstpacket.pipelines.direct.llama_omni.speech_decoder import SpeechDecoder
from firstpacket.pipelines.models.kv_cache import KVCache
from firstpacket.pipelines.models.llama_config import LlamaConfig, RopeScaling

LAMBDA = 5
CPU = torch.device("cpu")


def decoder(layers: int, heads: int, seed: int) -> SpeechDecoder:
    width = 8 * heads
    scaling = RopeScaling(8.0, 1.0, 4.0, 64)
    sizes = LlamaConfig(width, layers, heads, heads, 8, 3 * width, vocab=1, rope_theta=100.0, rope_scaling=scaling)
    torch.manual_seed(seed)
    return SpeechDecoder(SpeechDecoderConfig(state=12, layers=sizes, units=9, frames_per_token=LAMBDA)).eval()


def run(model: SpeechDecoder, pieces: list[torch.Tensor], length: int) -> torch.Tensor:
    cache = KVCache(model.config.layers, length, CPU, torch.float32)
    with torch.no_grad():
        return torch.cat([model(piece, cache) for piece in pieces])


@settings(max_examples=25)
@given(
    layers=st.integers(1, 3),
    heads=st.integers(1, 3),
    seed=st.integers(0, 10_000),
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=6),
)
def test_incremental_equals_whole(layers: int, heads: int, seed: int, sizes: list[int]) -> None:
    model = decoder(layers, heads, seed)
    states = torch.randn(sum(sizes), 12)
    length = LAMBDA * len(states)
    whole = run(model, [states], length)
    assert whole.shape == (length, 10)
    pieces = run(model, list(states.split(sizes)), length)
    torch.testing.assert_close(pieces, whole, rtol=1e-4, atol=1e-5)


def test_frames_of_a_token_see_nothing_of_the_next() -> None:
    model = decoder(2, 2, seed=1)
    states = torch.randn(3, 12)
    other = torch.cat((states[:2], torch.randn(1, 12)))
    first, second = (run(model, [x], 3 * LAMBDA) for x in (states, other))
    torch.testing.assert_close(first[: 2 * LAMBDA], second[: 2 * LAMBDA])
    assert not torch.allclose(first[2 * LAMBDA :], second[2 * LAMBDA :])


def test_frames_of_the_first_token_are_equal_and_give_at_most_one_unit() -> None:
    """Nothing tells them apart: attention over equal states gives equal states. Those of the second token differ."""
    said = run(decoder(2, 2, seed=1), [torch.randn(2, 12)], 2 * LAMBDA)
    torch.testing.assert_close(said[:LAMBDA], said[:1].expand(LAMBDA, -1))
    assert not torch.allclose(said[LAMBDA], said[LAMBDA + 1])


def test_a_reused_cache_forgets_the_sequence_before() -> None:
    model = decoder(2, 2, seed=1)
    cache = KVCache(model.config.layers, 3 * LAMBDA, CPU, torch.float32)
    states = torch.randn(2, 12)
    with torch.no_grad():
        first = model(states, cache)
        cache.used = 0
        model(torch.randn(3, 12), cache)
        cache.used = 0
        again = model(states, cache)
    assert torch.equal(first, again)
