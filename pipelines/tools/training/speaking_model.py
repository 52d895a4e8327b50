"""The speech decoder on batches: what it holds, and what comes out, is the streaming one's."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from firstpacket.pipelines.direct.llama_omni.config import SpeechDecoderConfig
from firstpacket.pipelines.direct.llama_omni.speech_decoder import SpeechDecoder
from firstpacket.pipelines.models.fields import Fields
from firstpacket.pipelines.models.kv_cache import inverse_frequencies
from firstpacket.pipelines.models.llama import Attention, Layer
from firstpacket.pipelines.models.llama_config import LlamaConfig
from firstpacket.pipelines.models.tensors import CPU, SafetensorsFolder, fill, read_json
from firstpacket.pipelines.tools.training import folders

PREFIX = "speech_generator."
"""Of the speech decoder's tensors in a published LLaMA-Omni."""


class TrainableSpeechDecoder(SpeechDecoder):
    """Answers side by side, each from its first position on."""

    def __init__(self, config: SpeechDecoderConfig) -> None:
        super().__init__(config)
        for part in self.parameters():
            if part.dim() > 1:
                torch.nn.init.normal_(part, std=0.02)

    def batch(self, states: Tensor, frames: int | None = None) -> Tensor:
        """States `(b, m, state)`, padded at their ends, to CTC logits `(b, λ · m, units + 1)` float32.

        `frames` is another λ than the decoder's own.
        Nothing looks ahead, so what is behind an answer's end changes nothing before it.
        """
        x = self.input_proj(states).repeat_interleave(frames or self.config.frames_per_token, dim=1)
        turns = _Turns(self.config, x.shape[1], x.device)
        for layer in self.layers:
            assert isinstance(layer, Layer)
            x = x + _mixed(layer.self_attn, layer.input_layernorm(x), turns)
            x = x + layer.mlp(layer.post_attention_layernorm(x))
        out: Tensor = self.output_proj(x)
        return out.float()


class _Turns:
    """RoPE of the positions from 0 on, and who may look at whom."""

    def __init__(self, config: SpeechDecoderConfig, count: int, device: torch.device) -> None:
        sizes = config.layers
        speeds = inverse_frequencies(sizes.head_dim, sizes.rope_theta, sizes.rope_scaling, device)
        angles = torch.outer(torch.arange(count, dtype=torch.float32, device=device), speeds)
        self._cos = torch.cat((angles.cos(),) * 2, -1)
        self._sin = torch.cat((-angles.sin(), angles.sin()), -1)
        self.later = torch.full((count, count), -torch.inf, device=device).triu(1)

    def rotated(self, x: Tensor) -> Tensor:
        """`(..., n, head_dim)` to the same."""
        turned = x.roll(x.shape[-1] // 2, -1)
        return torch.addcmul(x * self._cos.to(x.dtype), turned, self._sin.to(x.dtype))


def _mixed(attention: Attention, x: Tensor, turns: _Turns) -> Tensor:
    parts = (attention.q_proj(x), attention.k_proj(x), attention.v_proj(x))
    queries, keys, values = (part.view(*part.shape[:2], -1, attention.head_dim).transpose(1, 2) for part in parts)
    mixed = _attend(turns.rotated(queries), turns.rotated(keys), values, turns.later)
    out: Tensor = attention.o_proj(mixed.transpose(1, 2).flatten(2))
    return out


def _attend(queries: Tensor, keys: Tensor, values: Tensor, later: Tensor) -> Tensor:
    """`(b, heads, n, width)` to the same. Written out on CPUs: the fused kernel's backward is slow there."""
    if queries.device.type != "cpu":
        return functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)
    scores = queries * queries.shape[-1] ** -0.5 @ keys.transpose(-1, -2) + later.to(queries.dtype)
    mixed: Tensor = scores.softmax(-1) @ values
    return mixed


def sizes(llm: LlamaConfig, layers: tuple[int, int, int, int], count: int, frames: int) -> SpeechDecoderConfig:
    """The speech decoder of a language model: what `layers` does not say is the language model's."""
    number, width, heads, intermediate = layers
    own = replace(
        llm,
        layers=number,
        hidden=width,
        heads=heads,
        kv_heads=heads,
        head_dim=width // heads,
        intermediate=intermediate,
    )
    return SpeechDecoderConfig(llm.hidden, own, count, frames)


def read(folder: Path, llm: LlamaConfig) -> TrainableSpeechDecoder:
    """The speech decoder of a LLaMA-Omni, or the one in a step's folder, to be trained. Raises `WeightsError`."""
    tensors, where = SafetensorsFolder(folder), folder / folders.CONFIG
    prefix = PREFIX if any(name.startswith(PREFIX) for name in tensors.names()) else ""
    decoder = TrainableSpeechDecoder(_config(Fields(read_json(where), str(where)), llm))
    fill(decoder, tensors, prefix, CPU, torch.float32)
    decoder.requires_grad_(True)
    return decoder


def config_of(work: Path, step: str, llm: LlamaConfig) -> SpeechDecoderConfig:
    """Sizes of the speech decoder that was trained. Raises `WeightsError`."""
    return _config(Fields(folders.config(work, step), str(work / step)), llm)


def _config(fields: Fields, llm: LlamaConfig) -> SpeechDecoderConfig:
    layers = ast.literal_eval(str(fields.value("ctc_decoder_config")))
    return sizes(llm, layers, fields.whole("unit_vocab_size"), fields.whole("ctc_upsample_factor"))
