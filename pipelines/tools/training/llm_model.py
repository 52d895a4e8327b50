"""A Llama that is trained: the parameters of the one that answers, run over whole batches of rows.

All rows begin with the same head, which is computed once for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from firstpacket.pipelines.models.dummy_llama import randomise
from firstpacket.pipelines.models.kv_cache import inverse_frequencies
from firstpacket.pipelines.models.llama import Attention, Layer, Llama
from firstpacket.pipelines.models.llama_config import LlamaConfig

IGNORED = -100
"""Label of a place that is not learnt from."""

SIZES = LlamaConfig(256, 4, 4, 2, 64, 704, 1024, rope_theta=10_000.0, tied=True)
"""Of the published weights; the vocabulary may turn out smaller."""


class TrainableLlama(nn.Module):
    """A Llama (`llama`, with the published tensor names) and what training asks of it."""

    def __init__(self, llama: Llama, sparing: bool = False) -> None:
        """`sparing` computes every layer twice instead of keeping what it computed: less memory, a third slower."""
        super().__init__()
        self.llama = llama
        self.sparing = sparing

    @classmethod
    def fresh(cls, config: LlamaConfig) -> TrainableLlama:
        """Random values, drawn from torch's generator, at the scale that keeps activations near 1.

        At a fifth of it, as larger models begin, one this small is slow to find that it may copy from the question.
        """
        llama = Llama(config)
        randomise(llama, torch.default_generator)
        return cls(llama)

    def forward(self, head: Tensor, ids: Tensor, labels: Tensor) -> Tensor:
        """Ids `(h,)` of the head and `(b, n)` of the rows, padded at their ends, to logits of the k labels that count.

        `labels` are `(b, n)`; logits are `(k, vocab)` float32.
        """
        embed, count = self.llama.embed, len(head) + ids.shape[1]
        states = self.states(embed(head), embed(ids), torch.arange(count, device=ids.device))
        return self.logits(predicting(states, labels))

    def states(self, head: Tensor, rows: Tensor, positions: Tensor, weights: Tensor | None = None) -> Tensor:
        """Embeddings of head `(h, hidden)` and rows `(b, n, hidden)` to the last, normed states `(b, n, hidden)`.

        `positions` `(h + n,)`; `weights` `(h + n,)` is added to the scores of these keys in attention.
        """
        places = _Places.of(self.llama.config, positions, weights, len(head))
        x = torch.cat((head, rows.flatten(0, 1)))
        for layer in self.llama.model.layers:
            x = checkpoint(_layer, layer, x, places, use_reentrant=False) if self.sparing else _layer(layer, x, places)
        out: Tensor = self.llama.model.norm(x[len(head) :].view_as(rows))
        return out

    def logits(self, states: Tensor) -> Tensor:
        """Scores `(k, vocab)` float32 of states `(k, hidden)`."""
        return self.llama.logits(states).float()


class _Places:
    """What every layer knows of the places of head and rows: rotations, and who may look at whom."""

    def __init__(self, cos: Tensor, sin: Tensor, mask: Tensor, head: int) -> None:
        self._cos, self._sin = cos, sin
        self.mask = mask
        self.head = head

    @classmethod
    def of(cls, config: LlamaConfig, positions: Tensor, weights: Tensor | None, head: int) -> _Places:
        speeds = inverse_frequencies(config.head_dim, config.rope_theta, config.rope_scaling, positions.device)
        angles = torch.outer(positions.float(), speeds)
        later = torch.full((len(positions), len(positions)), -torch.inf, device=positions.device).triu(1)
        mask = later if weights is None else later + weights
        return cls(torch.cat((angles.cos(),) * 2, -1), torch.cat((-angles.sin(), angles.sin()), -1), mask, head)

    def rotated(self, x: Tensor, first: int) -> Tensor:
        """RoPE on `(..., n, head_dim)` that begins at place `first`."""
        kept = slice(first, first + x.shape[-2])
        cos, sin = self._cos[kept].to(x.dtype), self._sin[kept].to(x.dtype)
        return torch.addcmul(x * cos, x.roll(x.shape[-1] // 2, -1), sin)


def _layer(layer: nn.Module, x: Tensor, places: _Places) -> Tensor:
    """Head and rows one after another, `(h + b · n, hidden)`, to the same."""
    assert isinstance(layer, Layer)
    x = x + _mixed(layer.self_attn, layer.input_layernorm(x), places)
    out: Tensor = x + layer.mlp(layer.post_attention_layernorm(x))
    return out


def _mixed(attention: Attention, x: Tensor, places: _Places) -> Tensor:
    """Self-attention: the head looks at itself, every row at the head and at itself."""
    head, length = places.head, len(places.mask)
    parts: list[Tensor] = [part(x) for part in (attention.q_proj, attention.k_proj, attention.v_proj)]
    of_head = [_heads(part[None, :head], attention.head_dim) for part in parts]
    of_rows = [_heads(part[head:].reshape(-1, length - head, part.shape[1]), attention.head_dim) for part in parts]
    for some, first in ((of_head, 0), (of_rows, head)):
        some[:2] = [places.rotated(part, first) for part in some[:2]]
    rows = len(of_rows[0])
    keys, values = (
        torch.cat((shared.expand(rows, -1, -1, -1), own), dim=2)
        for shared, own in zip(of_head[1:], of_rows[1:], strict=True)
    )
    mixed_head = _attend(of_head[0], of_head[1], of_head[2], places.mask[:head, :head])
    mixed_rows = _attend(of_rows[0], keys, values, places.mask[head:])
    out: Tensor = attention.o_proj(torch.cat((_joined(mixed_head), _joined(mixed_rows))))
    return out


def _heads(x: Tensor, width: int) -> Tensor:
    return x.view(*x.shape[:2], -1, width).transpose(1, 2)


def _joined(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2).flatten(0, 1)


def _attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """`(b, heads, n, width)` over `(b, kv_heads, m, width)`; `mask` `(n, m)` is added to the scores.

    On CPUs it is written out, as there the fused kernel's backward pass takes twice as long.
    """
    if queries.device.type != "cpu":
        bias = mask.to(queries.dtype)
        return functional.scaled_dot_product_attention(queries, keys, values, attn_mask=bias, enable_gqa=True)
    rows, heads, count, width = queries.shape
    kv_heads = keys.shape[1]
    grouped = queries.reshape(rows, kv_heads, -1, width) * width**-0.5
    scores = (grouped @ keys.transpose(-1, -2)).view(rows, heads, count, -1) + mask.to(queries.dtype)
    mixed: Tensor = scores.softmax(-1).view(rows, kv_heads, -1, keys.shape[2]) @ values
    return mixed.view(rows, heads, count, width)


def predicting(states: Tensor, labels: Tensor) -> Tensor:
    """Of states `(b, n, hidden)` those `(k, hidden)` from which the labels that count are predicted."""
    return states[:, :-1][labels[:, 1:] != IGNORED]


def loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of the labels `(b, n)` that count, under the scores `(k, vocab)` of just these."""
    return functional.cross_entropy(scores, labels[:, 1:][labels[:, 1:] != IGNORED])


def exact(scores: Tensor, labels: Tensor) -> Tensor:
    """Whether each row's labels are all the likeliest, `(b,)` bool: greedy decoding then writes just that reply."""
    counted = labels[:, 1:] != IGNORED
    rows = counted.nonzero()[:, 0]
    wrong = scores.argmax(-1) != labels[:, 1:][counted]
    return torch.bincount(rows[wrong], minlength=len(labels)) == 0


def padded(rows: Sequence[Sequence[int]], filling: int) -> Tensor:
    """Rows of ids as one tensor `(b, n)` int64, filled up at their ends."""
    return nn.utils.rnn.pad_sequence([torch.tensor(row, dtype=torch.int64) for row in rows], True, filling)


def published(config: LlamaConfig, bos: int, ends: Sequence[int], positions: int = 2048) -> dict[str, Any]:
    """The `config.json` of such a Llama in Hugging Face's layout."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": config.hidden,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_dim,
        "intermediate_size": config.intermediate,
        "vocab_size": config.vocab,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "rms_norm_eps": config.rms_eps,
        "rope_theta": config.rope_theta,
        "max_position_embeddings": positions,
        "tie_word_embeddings": config.tied,
        "bos_token_id": bos,
        "eos_token_id": list(ends),
        "dtype": "float32",
    }
