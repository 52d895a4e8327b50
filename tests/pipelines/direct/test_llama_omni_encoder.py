"""The encoder's attention, each way that it is computed."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from firstpacket.pipelines.direct.llama_omni.config import EncoderConfig
from firstpacket.pipelines.direct.llama_omni.encoder import EncoderCache, PackedAttention, SelfAttention, SpeechEncoder
from firstpacket.pipelines.models.packing import can_pack, pack


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 3e-2)], ids=str)
def test_attention_is_the_same_in_either_precision(dtype: torch.dtype, tolerance: float) -> None:
    torch.manual_seed(0)
    layer = SelfAttention(32, 4).requires_grad_(False)
    x = torch.randn(1, 50, 32)
    queries, keys, values = (
        part(x).view(1, 50, 4, 8).transpose(1, 2) for part in (layer.query, layer.key, layer.value)
    )
    mixed = functional.scaled_dot_product_attention(queries, keys, values)
    expected = layer.out(mixed.transpose(1, 2).flatten(2))
    ours = layer.to(dtype)(x.to(dtype))
    torch.testing.assert_close(ours.float(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 5e-2)], ids=str)
def test_a_packed_encoder_computes_the_same_whole_and_in_blocks(dtype: torch.dtype, tolerance: float) -> None:
    config = EncoderConfig(mels=8, positions=30, state=32, heads=2, layers=2)
    torch.manual_seed(0)
    plain = SpeechEncoder(config).eval().requires_grad_(False).to(dtype)
    packed = SpeechEncoder(config).eval().requires_grad_(False).to(dtype)
    packed.load_state_dict(plain.state_dict())
    pack(packed)
    pack(packed)  # which changes nothing more
    assert all(isinstance(block.attn, PackedAttention) for block in packed.blocks) is can_pack(plain.conv1.weight)
    mel = torch.randn(8, 60, dtype=dtype)
    torch.testing.assert_close(packed(mel), plain(mel), rtol=tolerance, atol=tolerance)
    caches = [EncoderCache(config, torch.device("cpu"), dtype) for _ in range(2)]
    for block in (mel[:, :20], mel[:, 18:40], mel[:, 38:]):
        expected, ours = (
            model.encode_block(block, cache) for model, cache in zip((plain, packed), caches, strict=True)
        )
        torch.testing.assert_close(ours, expected, rtol=tolerance, atol=tolerance)
