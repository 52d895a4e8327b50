"""LLaMA-Omni written the plain way, as the published code works: a reference for results and for speed.

The parts are transformers' own Whisper and Llama, and a HiFi-GAN spelled out with torch's weight norm. After every
text token the whole speech decoder runs again over all frames so far; nothing of `pipelines/direct` is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.parametrize import is_parametrized, remove_parametrizations
from transformers import (
    DynamicCache,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaModel,
    WhisperConfig,
    WhisperFeatureExtractor,
)
from transformers.models.whisper.modeling_whisper import WhisperEncoder

UP_RATES, UP_KERNELS = (5, 4, 4, 2, 2), (11, 8, 8, 4, 4)
RES_KERNELS, RES_DILATIONS = (3, 7, 11), (1, 3, 5)
ROPE = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


@dataclass(frozen=True)
class Sizes:
    """Sizes of every part; the defaults are the smallest that still have more than one of everything."""

    mels: int = 80
    positions: int = 100
    encoder: tuple[int, int, int] = (2, 64, 1)
    """Layers, width, heads; the heads must be 64 wide, as the copy in the shards does not state them."""
    joined: int = 5
    adaptor: int = 32
    llm: tuple[int, int, int, int, int] = (3, 48, 6, 2, 80)
    """Layers, width, heads, key/value heads, inner width."""
    vocab: int = 160
    decoder: tuple[int, int, int, int] = (2, 40, 4, 64)
    """Layers, width, heads, inner width."""
    units: int = 50
    frames_per_token: int = 25
    embedding: int = 16
    channels: int = 32


@dataclass
class Reply:
    """What one turn gave."""

    ids: list[int] = field(default_factory=list)
    states: list[Tensor] = field(default_factory=list)
    """The normed LLM states `(hidden,)` that predicted each token."""
    scores: list[Tensor] = field(default_factory=list)
    """The LLM's scores `(vocab,)` of each token."""
    ctc: Tensor = field(default_factory=lambda: torch.zeros(0))
    """CTC scores `(λ · tokens, units + 1)`."""
    units: list[int] = field(default_factory=list)
    units_after_token: list[int] = field(default_factory=list)
    borders: list[tuple[int, int]] = field(default_factory=list)


class ResBlock(nn.Module):
    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(normed_conv(channels, channels, kernel, d) for d in RES_DILATIONS)
        self.convs2 = nn.ModuleList(normed_conv(channels, channels, kernel) for _ in RES_DILATIONS)

    def forward(self, x: Tensor) -> Tensor:
        for first, second in zip(self.convs1, self.convs2, strict=True):
            x = x + second(functional.leaky_relu(first(functional.leaky_relu(x, 0.1)), 0.1))
        return x


def normed_conv(wide: int, narrow: int, kernel: int, dilation: int = 1) -> nn.Module:
    return weight_norm(nn.Conv1d(wide, narrow, kernel, dilation=dilation, padding=(kernel - 1) * dilation // 2))


class UnitVocoder(nn.Module):
    """Code-HiFi-GAN, tensor names as fairseq has them but for weight norm's."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        size, channels = sizes.embedding, [sizes.channels >> step for step in range(len(UP_RATES) + 1)]
        self.dict = nn.Embedding(sizes.units, size)
        conv = [nn.Sequential(nn.Conv1d(size, size, 3, padding=1), nn.ReLU()) for _ in range(2)]
        self.dur_predictor = nn.ModuleDict(
            {"conv1": conv[0], "ln1": nn.LayerNorm(size), "conv2": conv[1], "ln2": nn.LayerNorm(size)}
        )
        self.dur_predictor["proj"] = nn.Linear(size, 1)
        self.conv_pre = normed_conv(size, channels[0], 7)
        self.ups = nn.ModuleList(
            weight_norm(nn.ConvTranspose1d(wide, narrow, kernel, rate, padding=(kernel - rate) // 2))
            for wide, narrow, kernel, rate in zip(channels, channels[1:], UP_KERNELS, UP_RATES, strict=False)
        )
        self.resblocks = nn.ModuleList(ResBlock(c, kernel) for c in channels[1:] for kernel in RES_KERNELS)
        self.conv_post = normed_conv(channels[-1], 1, 7)

    def fold(self) -> None:
        """Weight norm into the weights, as the published loader does."""
        for module in list(self.modules()):
            if is_parametrized(module):
                remove_parametrizations(module, "weight")

    def log_durations(self, units: Tensor) -> Tensor:
        """`(n,)` to `(n,)`."""
        x, parts = self.dict(units)[None], self.dur_predictor
        for conv, norm in (("conv1", "ln1"), ("conv2", "ln2")):
            x = parts[norm](parts[conv](x.transpose(1, 2)).transpose(1, 2))
        out: Tensor = parts["proj"](x)[0, :, 0]
        return out

    def durations(self, units: Tensor) -> Tensor:
        """`(n,)` frames."""
        return torch.clamp(torch.round(torch.exp(self.log_durations(units)) - 1).long(), min=1)

    def forward(self, units: Tensor) -> Tensor:
        """Units `(n,)` to a wave `(320 · frames,)`."""
        x = self.conv_pre(torch.repeat_interleave(self.dict(units), self.durations(units), dim=0).T[None])
        for step, up in enumerate(self.ups):
            x = up(functional.leaky_relu(x, 0.1))
            three = self.resblocks[step * len(RES_KERNELS) : (step + 1) * len(RES_KERNELS)]
            x = sum(block(x) for block in three) / len(RES_KERNELS)
        return torch.tanh(self.conv_post(functional.leaky_relu(x)))[0, 0]


class PlainOmni(nn.Module):
    """The whole model with seeded random weights; one turn at a time."""

    def __init__(self, sizes: Sizes, seed: int = 0) -> None:
        super().__init__()
        self.sizes = sizes
        self.hear = WhisperFeatureExtractor(feature_size=sizes.mels, chunk_length=sizes.positions // 50)
        self.encoder = WhisperEncoder(whisper_config(sizes))
        width, hidden = sizes.encoder[1] * sizes.joined, sizes.llm[1]
        self.adaptor = nn.Sequential(nn.Linear(width, sizes.adaptor), nn.ReLU(), nn.Linear(sizes.adaptor, hidden))
        layers, hidden, heads, kv_heads, inner = sizes.llm
        self.llm = LlamaForCausalLM(llama_config(layers, hidden, heads, kv_heads, inner, sizes.vocab))
        layers, width, heads, inner = sizes.decoder
        self.input_proj = nn.Linear(hidden, width)
        self.decoder = LlamaModel(llama_config(layers, width, heads, heads, inner, vocab=1))
        self.decoder.norm = nn.Identity()
        self.output_proj = nn.Linear(width, sizes.units + 1)
        self.vocoder = UnitVocoder(sizes)
        self._draw(seed)
        self.eval().requires_grad_(False)

    def _draw(self, seed: int) -> None:
        """Matrices that keep activations near 1, norms around 1, biases around 0, durations of a few frames."""
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            if name.endswith("original0"):  # weight norm's gains
                parameter.data.uniform_(0.8, 1.2, generator=generator)
            elif parameter.dim() > 1:
                parameter.data.normal_(0.0, parameter[0].numel() ** -0.5, generator=generator)
            else:
                middle = 0.0 if name.endswith("bias") else 1.0
                parameter.data.uniform_(middle - 0.3, middle + 0.3, generator=generator)
            # Attention that looks somewhere, not everywhere alike: replies then have many different units.
            if "q_proj" in name or "k_proj" in name or "input_proj.weight" in name:
                parameter.data *= 2.5
        self.vocoder.dur_predictor["proj"].weight.data *= 0.3
        self.vocoder.dur_predictor["proj"].bias.data.fill_(1.0)

    def mel(self, audio: npt.NDArray[np.float32]) -> Tensor:
        """Features `(1, mels, 2 · positions)` of 16 kHz samples."""
        out: Tensor = self.hear(audio, sampling_rate=16_000, return_tensors="pt").input_features
        return out

    def speech(self, frames: Tensor) -> Tensor:
        """Encoder frames `(1, positions, width)` to embeddings `(positions / joined, hidden)`."""
        out: Tensor = self.adaptor(frames.view(frames.shape[1] // self.sizes.joined, -1))
        return out

    def prompt(self, before: Sequence[int], speech: Tensor, after: Sequence[int]) -> Tensor:
        """Text, speech, text: `(n, hidden)`."""
        embed = self.llm.get_input_embeddings()
        return torch.cat((embed(torch.tensor(before)), speech, embed(torch.tensor(after))))

    def ctc(self, states: Tensor) -> Tensor:
        """All states `(m, hidden)` so far to CTC scores `(λ · m, units + 1)`."""
        copied = states.repeat_interleave(self.sizes.frames_per_token, dim=0)
        frames = self.decoder(inputs_embeds=self.input_proj(copied)[None], use_cache=False).last_hidden_state[0]
        out: Tensor = self.output_proj(frames)
        return out

    @torch.inference_mode()
    def stream(
        self,
        audio: npt.NDArray[np.float32],
        before: Sequence[int],
        after: Sequence[int],
        max_new_tokens: int,
        eos: Sequence[int] = (),
        chunk_units: int | None = 10,
        reply: Reply | None = None,
    ) -> Iterator[Tensor]:
        """Answer greedily; yields the wave `(n,)` of each chunk, and writes into `reply` what led to it."""
        reply = reply if reply is not None else Reply()
        frames = self.encoder(self.mel(audio)).last_hidden_state
        given: dict[str, Any] = {"inputs_embeds": self.prompt(before, self.speech(frames), after)[None]}
        cache, sent, ended = DynamicCache(config=self.llm.config), 0, False
        while not ended:
            reply.states.append(self.llm.model(**given, past_key_values=cache).last_hidden_state[0, -1])
            reply.scores.append(self.llm.lm_head(reply.states[-1]))
            reply.ids.append(int(reply.scores[-1].argmax()))
            reply.ctc = self.ctc(torch.stack(reply.states))
            reply.units = collapse(reply.ctc.argmax(dim=-1).tolist(), blank=self.sizes.units)
            reply.units_after_token.append(len(reply.units))
            ended = reply.ids[-1] in eos or len(reply.ids) == max_new_tokens
            pending = len(reply.units) - sent
            if (chunk_units is not None and pending >= chunk_units) or (ended and pending):
                reply.borders.append((sent, len(reply.units)))
                yield self.vocoder(torch.tensor(reply.units[sent:]))
                sent = len(reply.units)
            given = {"input_ids": torch.tensor([[reply.ids[-1]]])}


def collapse(labels: Sequence[int], blank: int) -> list[int]:
    """CTC: merge repeats, then drop blanks."""
    merged = [label for place, label in enumerate(labels) if place == 0 or label != labels[place - 1]]
    return [label for label in merged if label != blank]


def whisper_config(sizes: Sizes) -> WhisperConfig:
    layers, width, heads = sizes.encoder
    return WhisperConfig(
        num_mel_bins=sizes.mels,
        max_source_positions=sizes.positions,
        d_model=width,
        encoder_layers=layers,
        encoder_attention_heads=heads,
        encoder_ffn_dim=4 * width,
    )


def llama_config(layers: int, hidden: int, heads: int, kv_heads: int, inner: int, vocab: int) -> LlamaConfig:
    return LlamaConfig(
        num_hidden_layers=layers,
        hidden_size=hidden,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=hidden // heads,
        intermediate_size=inner,
        vocab_size=vocab,
        rms_norm_eps=1e-5,
        max_position_embeddings=131_072,
        rope_parameters={**ROPE, "rope_theta": 500_000.0},
        pad_token_id=None,
        bos_token_id=0,
        eos_token_id=0,
    )
