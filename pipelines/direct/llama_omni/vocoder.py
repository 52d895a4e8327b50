"""The unit vocoder: fairseq's code-HiFi-GAN with a duration predictor, weight norm folded into the weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from firstpacket.pipelines.direct.llama_omni.config import VocoderConfig

SLOPE = 0.1
LAST_SLOPE = 0.01
"""fairseq leaves the activation before `conv_post` at leaky_relu's default."""


class DurationPredictor(nn.Module):
    """Predicts log(1 + frames) of every unit."""

    def __init__(self, size: int, inner: int, kernel: int) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv1d(size, inner, kernel, padding=(kernel - 1) // 2), nn.ReLU())
        self.ln1 = nn.LayerNorm(inner)
        self.conv2 = nn.Sequential(nn.Conv1d(inner, inner, kernel, padding=1), nn.ReLU())
        self.ln2 = nn.LayerNorm(inner)
        self.proj = nn.Linear(inner, 1)

    def forward(self, embedded: Tensor) -> Tensor:
        """`(1, size, units)` to `(units,)`."""
        x = self.ln1(self.conv1(embedded).transpose(1, 2))
        x = self.ln2(self.conv2(x.transpose(1, 2)).transpose(1, 2))
        out: Tensor = self.proj(x)[0, :, 0]
        return out


class ResBlock(nn.Module):
    """HiFi-GAN's residual block of type 1."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(
            nn.Conv1d(channels, channels, kernel, dilation=d, padding=(kernel * d - d) // 2) for d in dilations
        )
        self.convs2 = nn.ModuleList(nn.Conv1d(channels, channels, kernel, padding=(kernel - 1) // 2) for _ in dilations)

    def forward(self, x: Tensor, length: int) -> Tensor:
        """`(1, channels, n)`, zero from `length` on, to the same."""
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            inner = _ended(dilated(functional.leaky_relu(x, SLOPE)), length)
            x = _ended(plain(functional.leaky_relu_(inner, SLOPE)), length).add_(x)
        return x


def _ended(x: Tensor, length: int) -> Tensor:
    """Set `x` `(..., n)` to zero from `length` on, so that to later layers the sound ends there."""
    if x.shape[-1] > length:
        x[..., length:] = 0
    return x


def filled_up(frames: int) -> int:
    """The length to pad to, from a small set: multiples of 8 frames up to 64, of 16 up to 128."""
    for step, longest in ((8, 64), (16, 128)):
        if frames <= longest:
            return math.ceil(frames / step) * step
    return frames


class Vocoder(nn.Module):
    """Units to 16 kHz sound, one chunk at a time: chunks do not affect each other."""

    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        self.config = config
        self.dict = nn.Embedding(config.units, config.embedding)
        self.dur_predictor = DurationPredictor(config.embedding, config.duration_inner, config.duration_kernel)
        self.sound_dtype = torch.float32
        self.few_lengths = False
        """Whether chunks are padded with zeros to one of a few lengths: the sound is the same.

        oneDNN generates kernels for each new length and caches about a thousand; for a short chunk that takes longer
        than the work.
        """
        channels = config.channels
        self.conv_pre = nn.Conv1d(config.embedding, channels[0], 7, padding=3)
        self.ups = nn.ModuleList(
            nn.ConvTranspose1d(wide, narrow, kernel, rate, padding=(kernel - rate) // 2)
            for wide, narrow, kernel, rate in zip(
                channels, channels[1:], config.up_kernels, config.up_rates, strict=False
            )
        )
        self.resblocks = nn.ModuleList(
            ResBlock(narrow, kernel, dilations)
            for narrow in channels[1:]
            for kernel, dilations in zip(config.res_kernels, config.res_dilations, strict=True)
        )
        self.conv_post = nn.Conv1d(channels[-1], 1, 7, padding=3)

    def sound_in(self, dtype: torch.dtype) -> None:
        """Make sound in `dtype`. Durations stay as they are: chunks keep their lengths, to the frame."""
        self.sound_dtype = dtype
        for part in (self.conv_pre, self.ups, self.resblocks, self.conv_post):
            part.to(dtype)

    def embed(self, units: Tensor) -> Tensor:
        """Units `(n,)` int64 to `(1, embedding, n)`."""
        out: Tensor = self.dict(units).T[None]
        return out

    def durations(self, log_durations: Tensor) -> Tensor:
        """Frames of 20 ms per unit, `(n,)` int64, at least one: clamp(round(exp(x) - 1), 1), halves to even."""
        return torch.clamp(torch.round(torch.exp(log_durations) - 1), min=1).long()

    def sound(self, embedded: Tensor, durations: Tensor, frames: int) -> Tensor:
        """Wave `(hop · frames,)` in [-1, 1]; `frames` is the sum of `durations`, already known on the host."""
        x = torch.repeat_interleave(embedded.to(self.sound_dtype), durations, dim=2, output_size=frames)
        if self.few_lengths:
            x = functional.pad(x, (0, filled_up(frames) - frames))
        length, kinds = frames, len(self.config.res_kernels)
        x = _ended(self.conv_pre(x), length)
        for index, (up, rate) in enumerate(zip(self.ups, self.config.up_rates, strict=True)):
            length *= rate
            x = _ended(up(functional.leaky_relu_(x, SLOPE)), length)
            first, *others = self.resblocks[index * kinds : (index + 1) * kinds]
            mixed = first(x, length)
            for block in others:
                mixed.add_(block(x, length))
            x = mixed.div_(kinds)
        wave: Tensor = torch.tanh(self.conv_post(functional.leaky_relu_(x, LAST_SLOPE)))[0, 0, :length]
        return wave.float()

    def forward(self, units: Tensor) -> Tensor:
        """Units `(n,)` int64, n > 0, to a wave `(hop · frames,)` float32; waits for the device once."""
        embedded = self.embed(units)
        durations = self.durations(self.dur_predictor(embedded))
        return self.sound(embedded, durations, int(durations.sum()))
