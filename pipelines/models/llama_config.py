"""Sizes of a Llama decoder, read from checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from firstpacket.bench.errors import WeightsError
from firstpacket.pipelines.models.fields import Fields


@dataclass(frozen=True, slots=True)
class RopeScaling:
    """How Llama 3.1 stretches the rotations of long wavelengths."""

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_positions: int


@dataclass(frozen=True, slots=True)
class LlamaConfig:
    """Sizes of a Llama decoder."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    rms_eps: float = 1e-5
    rope_theta: float = 500_000.0
    rope_scaling: RopeScaling | None = None
    tied: bool = False
    """Whether the output matrix is the embedding matrix."""

    @classmethod
    def from_json(cls, json: Mapping[str, Any], where: str) -> LlamaConfig:
        """Parse a Hugging Face `config.json`. Raises `WeightsError` naming `where` and the field at fault."""
        fields = Fields(json, where)
        hidden, heads = fields.whole("hidden_size"), fields.whole("num_attention_heads")
        config = cls(
            hidden=hidden,
            layers=fields.whole("num_hidden_layers"),
            heads=heads,
            kv_heads=fields.whole("num_key_value_heads", heads),
            head_dim=fields.whole("head_dim", hidden // heads),
            intermediate=fields.whole("intermediate_size"),
            vocab=fields.whole("vocab_size"),
            rms_eps=fields.number("rms_norm_eps", 1e-5),
            rope_theta=_rope(fields).number("rope_theta", fields.number("rope_theta", 10_000.0)),
            rope_scaling=_rope_scaling(fields),
            tied=bool(json.get("tie_word_embeddings", False)),
        )
        if config.heads % config.kv_heads:
            raise fields.unlike("num_key_value_heads", config.kv_heads, f"a divisor of {heads}, the number of heads")
        if config.head_dim % 2:
            raise fields.unlike("head_dim", config.head_dim, "an even number, as rotations take channels in pairs")
        return config


def _rope(fields: Fields) -> Fields:
    """Where the rotations are described: `rope_parameters` (transformers 5) or `rope_scaling`; or nowhere."""
    for name in ("rope_scaling", "rope_parameters"):
        if fields.json.get(name):
            return fields.inner(name)
    return Fields({}, fields.where)


def _rope_scaling(fields: Fields) -> RopeScaling | None:
    rope = _rope(fields)
    kind = rope.json.get("rope_type", rope.json.get("type", "default"))
    if kind == "default":
        return None
    if kind != "llama3":
        raise WeightsError(f"{fields.where} has rope_type '{kind}'; only 'default' and 'llama3' are supported.")
    return RopeScaling(
        factor=rope.number("factor"),
        low_freq_factor=rope.number("low_freq_factor"),
        high_freq_factor=rope.number("high_freq_factor"),
        original_positions=rope.whole("original_max_position_embeddings"),
    )
