"""Attention of new positions over all that a cache keeps."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from firstpacket.pipelines.models.kv_cache import Window


def attend(queries: Tensor, keys: Tensor, values: Tensor, window: Window, grouped: bool) -> Tensor:
    """Queries `(1, heads, n, head_dim)` over keys and values `(1, kv_heads, length, head_dim)`, to the same as queries.

    On the CPU one query is taken in float32: torch's kernel for it is several times slower in 16 bit than the way there
    and back. The query heads that share keys are then rows of one query, which spares copies of the keys.
    """
    if queries.shape[2] == 1 and queries.device.type == "cpu":
        rows = queries.reshape(1, keys.shape[1], -1, queries.shape[3]).float()
        mixed = functional.scaled_dot_product_attention(rows, keys.float(), values.float(), attn_mask=window.mask)
        return mixed.to(queries.dtype).view(queries.shape)
    return functional.scaled_dot_product_attention(
        queries, keys, values, attn_mask=window.mask, is_causal=window.causal, enable_gqa=grouped
    )
