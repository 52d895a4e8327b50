"""The encoder's attention, each way that it is computed."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from firstpacket.pipelines.direct.llama_omni.encoder import SelfAttention


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
