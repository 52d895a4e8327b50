"""The decoder of one text after another, against the model without any cache kept."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from firstpacket.bench.errors import WeightsError
from firstpacket.pipelines.models import dummy_llama, llama_files
from firstpacket.pipelines.models.cuda_graphs import Step
from firstpacket.pipelines.models.decoder import Decoder
from firstpacket.pipelines.models.fields import Fields
from firstpacket.pipelines.models.kv_cache import KVCache, bytes_per_position
from firstpacket.pipelines.models.llama import Llama
from firstpacket.pipelines.models.llama_config import LlamaConfig

CPU = torch.device("cpu")
CONFIG = LlamaConfig(32, 2, 4, 2, 8, 48, 60)
HEAD = [7, 8, 9, 10]


def llama() -> Llama:
    return dummy_llama.build(CONFIG, 3, CPU, torch.float32)


def scores(ids: list[int]) -> torch.Tensor:
    """Of what follows ids, in one go and with a cache of their own."""
    model = llama()
    return model.logits(model(model.embed(torch.tensor(ids)), KVCache(CONFIG, len(ids), CPU, torch.float32)))


@pytest.fixture
def decoder() -> Decoder:
    return Decoder(llama(), 40, HEAD)


def said(decoder: Decoder, prompt: list[int], more: list[int]) -> None:
    """Each step's scores are those of the whole text up to there."""
    torch.testing.assert_close(decoder.prefill(prompt), scores(prompt), rtol=1e-4, atol=1e-4)
    for count in range(1, len(more) + 1):
        got = decoder.step(torch.tensor(more[count - 1 : count]))
        torch.testing.assert_close(got, scores([*prompt, *more[:count]]), rtol=1e-4, atol=1e-4)


def test_a_text_does_not_depend_on_the_one_before(decoder: Decoder) -> None:
    said(decoder, [*HEAD, 1, 2, 3], [4, 5, 6])
    said(decoder, [*HEAD, 11], [12, 13])
    for other in ([50, 51], HEAD, HEAD[:2]):  # not the head, nothing but the head, less than the head
        said(decoder, other, [14])
        said(decoder, [*HEAD, 1, 2, 3], [4, 5, 6])


def test_the_step_that_cuda_replays_says_the_same(decoder: Decoder) -> None:
    token = torch.zeros(1, dtype=torch.int64)
    decoder._step = Step(decoder._llama.step, token, 1, decoder._cache, len(HEAD) + 1)
    with torch.inference_mode():
        said(decoder, [*HEAD, 1, 2, 3], [4, 5, 6])
        said(decoder, [*HEAD, 20], [21])


def test_a_text_longer_than_the_cache(decoder: Decoder) -> None:
    with pytest.raises(ValueError, match="do not fit a cache of 40"):
        decoder.prefill(list(range(41)))


def fields(**changed: object) -> Fields:
    plain = {
        "model_type": "llama",
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "vocab_size": 60,
    }
    return Fields({**plain, **changed}, "config.json")


def test_a_plain_llama_is_recognised() -> None:
    wanted = replace(CONFIG, kv_heads=4, rope_theta=10_000.0)
    assert llama_files.parsed(fields(hidden_act="silu", attention_bias=False)) == wanted
    assert llama_files.parameters(wanted) == 60 * 32 * 2 + 2 * (4 * 32 * 32 + 3 * 32 * 48 + 2 * 32) + 32


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"model_type": "mistral"}, "model_type is 'mistral'"),
        ({"attention_bias": True}, "attention_bias is True"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "rope_type 'linear'"),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, "no field 'low_freq_factor'"),
        ({"rope_scaling": "llama3"}, "should be an object"),
        ({"num_key_value_heads": 3}, "a divisor of 4"),
        ({"head_dim": 7}, "an even number"),
        ({"rms_norm_eps": "small"}, "rms_norm_eps is 'small', but it should be a number above 0"),
        ({"vocab_size": "many"}, "vocab_size is 'many'"),
        ({"rope_theta": float("nan")}, "rope_theta is nan"),
    ],
)
def test_an_unsupported_llama_variant_names_the_field(changed: dict[str, object], said: str) -> None:
    with pytest.raises(WeightsError, match=said):
        llama_files.parsed(fields(**changed))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_cache_takes_the_bytes_that_are_planned_for_it(dtype: torch.dtype) -> None:
    assert KVCache(CONFIG, 7, CPU, dtype).nbytes == 7 * bytes_per_position(CONFIG, dtype)
