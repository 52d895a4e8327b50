"""The Llama decoder against a plain one written out in float64, whole and step by step."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from firstpacket.bench.errors import WeightsError
from firstpacket.pipelines.models.kv_cache import KVCache, inverse_frequencies
from firstpacket.pipelines.models.llama import Llama
from firstpacket.pipelines.models.llama_config import LlamaConfig, RopeScaling
from firstpacket.pipelines.models.packed_layer import PackedLayer
from firstpacket.pipelines.models.packing import can_pack, pack

CPU = torch.device("cpu")
SCALING = RopeScaling(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_positions=64)
CONFIG = LlamaConfig(24, 2, 6, 2, 8, 40, 50, rope_theta=100.0, rope_scaling=SCALING)


def scaled_frequency(frequency: float, scaling: RopeScaling) -> float:
    """Llama 3.1's rule as its three cases."""
    wavelength = 2 * math.pi / frequency
    if wavelength < scaling.original_positions / scaling.high_freq_factor:
        return frequency
    if wavelength > scaling.original_positions / scaling.low_freq_factor:
        return frequency / scaling.factor
    span = scaling.high_freq_factor - scaling.low_freq_factor
    smooth = (scaling.original_positions / wavelength - scaling.low_freq_factor) / span
    return (1 - smooth) * frequency / scaling.factor + smooth * frequency


def rotate(x: Tensor, config: LlamaConfig) -> Tensor:
    """RoPE on `(n, heads, head_dim)`, each pair (i, i + half) as one complex number."""
    half = config.head_dim // 2
    frequencies = [config.rope_theta ** (-2 * i / config.head_dim) for i in range(half)]
    if config.rope_scaling is not None:
        frequencies = [scaled_frequency(frequency, config.rope_scaling) for frequency in frequencies]
    angles = torch.outer(torch.arange(len(x)).double(), torch.tensor(frequencies).double())
    turned = torch.complex(x[..., :half], x[..., half:]) * torch.polar(torch.ones_like(angles), angles)[:, None]
    return torch.cat((turned.real, turned.imag), dim=-1)


def norm(x: Tensor, weight: Tensor) -> Tensor:
    return x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt() * weight


def plain_states(weights: dict[str, Tensor], ids: Tensor, config: LlamaConfig) -> Tensor:
    """Normed states `(n, hidden)` in float64, without any cache."""
    w = {name: value.double() for name, value in weights.items()}
    x = w["model.embed_tokens.weight"][ids]
    mask = torch.full((len(ids), len(ids)), -math.inf).double().triu(1)
    for index in range(config.layers):
        p = f"model.layers.{index}."
        y = norm(x, w[p + "input_layernorm.weight"])
        q, k, v = (
            (y @ w[f"{p}self_attn.{name}_proj.weight"].T).view(len(ids), -1, config.head_dim)
            for name in ("q", "k", "v")
        )
        k, v = (part.repeat_interleave(config.heads // config.kv_heads, dim=1) for part in (rotate(k, config), v))
        scores = torch.einsum("qhd,khd->hqk", rotate(q, config), k) / math.sqrt(config.head_dim) + mask
        mixed = torch.einsum("hqk,khd->qhd", scores.softmax(-1), v).flatten(1)
        x = x + mixed @ w[p + "self_attn.o_proj.weight"].T
        y = norm(x, w[p + "post_attention_layernorm.weight"])
        gate, up = (y @ w[f"{p}mlp.{name}_proj.weight"].T for name in ("gate", "up"))
        x = x + (gate * gate.sigmoid() * up) @ w[p + "mlp.down_proj.weight"].T
    return norm(x, w["model.norm.weight"])


def model(config: LlamaConfig) -> Llama:
    torch.manual_seed(2)
    made = Llama(config).eval().requires_grad_(False)
    for name, parameter in made.named_parameters():
        if name.endswith("norm.weight"):
            parameter.uniform_(0.5, 1.5)
    return made


@pytest.mark.parametrize(
    "config",
    [CONFIG, replace(CONFIG, kv_heads=6), replace(CONFIG, rope_scaling=None), replace(CONFIG, head_dim=4, tied=True)],
    ids=["grouped", "one key per query", "no scaling", "tied, odd head size"],
)
@pytest.mark.parametrize("pieces", [[20], [20 - 3, 1, 1, 1], [8, 7, 5], [1] * 20], ids=str)
def test_states_and_logits_are_the_plain_ones(config: LlamaConfig, pieces: list[int]) -> None:
    llama = model(config)
    ids = torch.randint(0, config.vocab, (20,))
    expected = plain_states(dict(llama.state_dict()), ids, config)
    cache = KVCache(config, 20, CPU, torch.float32)
    end = 0
    for piece in ids.split(pieces):
        hidden = llama(llama.embed(piece), cache)
        end += len(piece)
        torch.testing.assert_close(hidden[0].double(), expected[end - 1], rtol=1e-4, atol=1e-4)
    matrix = llama.state_dict()["model.embed_tokens.weight" if config.tied else "lm_head.weight"]
    torch.testing.assert_close(llama.logits(hidden), hidden @ matrix.T)
    assert ("lm_head.weight" in llama.state_dict()) is not config.tied


@pytest.mark.parametrize("config", [CONFIG, replace(CONFIG, kv_heads=6)], ids=["grouped", "one key per query"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("pieces", [[20], [17, 1, 1, 1], [8, 7, 5]], ids=str)
def test_packed_layers_compute_the_same(config: LlamaConfig, dtype: torch.dtype, pieces: list[int]) -> None:
    plain, packed = model(config).to(dtype), model(config).to(dtype)
    pack(packed)
    assert all(isinstance(layer, PackedLayer) for layer in packed.model.layers) is can_pack(torch.zeros(1, dtype=dtype))
    caches = [KVCache(config, 20, CPU, dtype) for _ in range(2)]
    tolerance = 1e-5 if dtype == torch.float32 else 5e-2
    for piece in torch.randint(0, config.vocab, (20,)).split(pieces):
        expected, ours = (
            llama(llama.embed(piece), cache) for llama, cache in zip((plain, packed), caches, strict=True)
        )
        torch.testing.assert_close(ours, expected, rtol=tolerance, atol=tolerance)


def test_frequencies_follow_the_three_cases() -> None:
    scaling = RopeScaling(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_positions=8192)
    plain = inverse_frequencies(128, 500_000.0, None, CPU).double()
    scaled = inverse_frequencies(128, 500_000.0, scaling, CPU).double()
    expected = torch.tensor([scaled_frequency(float(frequency), scaling) for frequency in plain]).double()
    torch.testing.assert_close(scaled, expected, rtol=1e-6, atol=0)
    assert torch.equal(scaled[:8], plain[:8])


def test_a_cache_that_is_full_says_so() -> None:
    llama = model(CONFIG)
    cache = KVCache(CONFIG, 4, CPU, torch.float32)
    llama(torch.zeros(3, 24), cache)
    with pytest.raises(ValueError, match=r"3 \+ 2 positions do not fit a cache of 4"):
        llama(torch.zeros(2, 24), cache)


def test_old_and_new_configurations_read_the_same() -> None:
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    sizes |= {"intermediate_size": 128, "vocab_size": 512}
    scaling = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    scaling |= {"original_max_position_embeddings": 8192}
    old = LlamaConfig.from_json({**sizes, "rope_theta": 5e5, "rope_scaling": scaling}, "config.json")
    new = LlamaConfig.from_json({**sizes, "rope_parameters": {**scaling, "rope_theta": 5e5}}, "config.json")
    assert old == new
    assert (old.head_dim, old.rope_theta, old.rope_scaling) == (16, 5e5, RopeScaling(8.0, 1.0, 4.0, 8192))


def test_a_configuration_without_a_field_names_it() -> None:
    with pytest.raises(WeightsError, match=r"config\.json has no field 'hidden_size'"):
        LlamaConfig.from_json({"num_hidden_layers": 2}, "config.json")


@settings(max_examples=30)
@given(before=st.integers(0, 20), new=st.integers(1, 8), spare=st.integers(0, 9), seed=st.integers(0, 99))
def test_a_step_at_places_known_to_the_device_is_the_plain_step(before: int, new: int, spare: int, seed: int) -> None:
    torch.manual_seed(seed)
    llama = Llama(CONFIG).eval().requires_grad_(False)
    plain, ours = (KVCache(CONFIG, before + new + spare, CPU, torch.float32) for _ in range(2))
    head, tail = torch.randn(before, 24), torch.randn(new, 24)
    if before:
        llama.remember(head, plain)
        llama.remember(head, ours)
    expected = llama.model.layers(tail, plain)
    window = ours.window_at(ours.next_places(new), ours.length)
    torch.testing.assert_close(llama.model.layers.run(tail, ours, window), expected, rtol=1e-4, atol=1e-5)
    assert plain.used == before + new
    torch.testing.assert_close(
        llama.model.layers.run(tail, ours, window, last=True), expected[-1:], rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("grouped", [True, False])
def test_one_query_in_16_bit_is_what_the_whole_sequence_gives(grouped: bool) -> None:
    config = CONFIG if grouped else replace(CONFIG, kv_heads=6)
    llama = model(config).to(torch.bfloat16)
    embeds = torch.randn(9, 24).bfloat16()
    whole, stepped = (KVCache(config, 9, CPU, torch.bfloat16) for _ in range(2))
    expected = llama(embeds, whole)
    llama.remember(embeds[:8], stepped)
    torch.testing.assert_close(llama(embeds[8:], stepped), expected, rtol=5e-2, atol=5e-2)
