"""Seeded random weights in the real architecture, and the fixed work that makes their latency meaningful.

Random weights produce nonsense of random length, so the chosen ids are overridden, on the device and after the full
computation. This is never done with other weights.
"""

from __future__ import annotations

import torch
from torch import Tensor

from firstpacket.pipelines.direct.llama_omni.config import (
    AdaptorConfig,
    EncoderConfig,
    OmniConfig,
    SpeechDecoderConfig,
    VocoderConfig,
)
from firstpacket.pipelines.direct.llama_omni.model import LlamaOmni, Loaded, weights
from firstpacket.pipelines.direct.llama_omni.sampling import Choices, Sampling
from firstpacket.pipelines.models import dummy_llama
from firstpacket.pipelines.models.chat import BEGIN, END_OF_TURN, SPECIAL_TOKENS, TextTokenizer
from firstpacket.pipelines.models.dummy_text import canned_reply
from firstpacket.pipelines.models.llama_config import LlamaConfig

FEWEST_UNITS, MOST_UNITS = 5, 9
"""Units per text token: one token never has 10, two always have (published behaviour at Ω = 10)."""

DURATION_SHARES = (0.45, 0.40, 0.15)
"""Shares of units that last 1, 2 and 3 frames: 1.7 frames on average."""

LOUDNESS = 0.1
"""RMS of the sound that is sent: -20 dBFS."""

_LARGE_V3 = EncoderConfig(mels=128, positions=1500, state=1280, heads=20, layers=32)
_SIZES: dict[str, tuple[EncoderConfig, tuple[int, int, int, int], int, int]] = {
    # encoder, speech decoder (layers, width, heads, intermediate), adaptor width, vocoder channels
    "tiny": (
        EncoderConfig(mels=80, positions=1500, state=128, heads=2, layers=2),
        (2, 256, 4, 688),
        256,
        64,
    ),
    "1b": (
        _LARGE_V3,
        (2, 2048, 32, 8192),
        2048,
        512,
    ),
    "8b": (
        _LARGE_V3,
        (2, 4096, 32, 11008),
        2048,
        512,
    ),
}
SIZES = tuple(_SIZES)


def config(size: str) -> OmniConfig:
    """Sizes of the dummy model `size`; `8b` has those of the published one."""
    encoder, (layers, width, heads, intermediate), inner, channels = _SIZES[size]
    llm = dummy_llama.SIZES[size]
    decoder = LlamaConfig(
        width, layers, heads, heads, width // heads, intermediate, llm.vocab, rope_scaling=llm.rope_scaling
    )
    return OmniConfig(
        encoder=encoder,
        adaptor=AdaptorConfig(joined=5, state=encoder.state, hidden=llm.hidden, inner=inner),
        llm=llm,
        speech_decoder=SpeechDecoderConfig(state=llm.hidden, layers=decoder, units=1000, frames_per_token=25),
        vocoder=VocoderConfig(
            units=1000,
            embedding=128,
            duration_inner=128,
            duration_kernel=3,
            first_channels=channels,
            up_rates=(5, 4, 4, 2, 2),
            up_kernels=(11, 8, 8, 4, 4),
            res_kernels=(3, 7, 11),
            res_dilations=((1, 3, 5),) * 3,
        ),
        bos=SPECIAL_TOKENS.index(BEGIN),
        eos=(SPECIAL_TOKENS.index(END_OF_TURN),),
    )


def build(size: str, seed: int, device: torch.device, dtype: torch.dtype) -> Loaded:
    """A model of random weights, drawn on the device: the same for the same seed, device type and precision."""
    model = LlamaOmni.without_weights(config(size), device, dtype)
    generator = torch.Generator(device).manual_seed(seed)
    for part, kind in model.parts().values():
        part.to(kind).to_empty(device=device)
        dummy_llama.randomise(part, generator)
    return Loaded(model, weights(model, "dummy", f"seed {seed}, size {size}"))


class FixedWork(Choices):
    """Every turn says the same canned reply, chosen by the seed."""

    def __init__(self, model: LlamaOmni, tokenizer: TextTokenizer, sampling: Sampling, max_new_tokens: int) -> None:
        super().__init__(sampling, model.device)
        reply = [*tokenizer.encode(canned_reply(sampling.seed)), *model.config.eos]
        self._reply = torch.tensor(reply, device=model.device)
        steps = min(max_new_tokens, len(reply))
        generator = torch.Generator().manual_seed(sampling.seed)
        sizes = model.config.speech_decoder
        self._labels = _unit_frames(steps, sizes.frames_per_token, sizes.units, generator).to(model.device)
        shares = torch.tensor(DURATION_SHARES)
        drawn = torch.multinomial(shares, steps * MOST_UNITS, replacement=True, generator=generator)
        self._durations = (drawn + 1).to(model.device)

    def token(self, logits: Tensor, step: int) -> Tensor:
        """The reply's token, whatever was chosen."""
        super().token(logits, step)
        return self._reply[step : step + 1]

    def labels(self, logits: Tensor, step: int) -> Tensor:
        """Labels of 5 to 9 seeded units, whatever was chosen."""
        super().labels(logits, step)
        return self._labels[step]

    def durations(self, predicted: Tensor, first: int) -> Tensor:
        """Seeded durations of 1 to 3 frames, whatever was predicted."""
        return self._durations[first : first + predicted.shape[0]]

    def wave(self, wave: Tensor) -> Tensor:
        """The wave at -20 dBFS, as a random vocoder is inaudible."""
        loudness = wave.square().mean().sqrt().clamp(min=1e-9)
        return (wave * (LOUDNESS / loudness)).clamp(-1.0, 1.0)


def _unit_frames(steps: int, frames: int, blank: int, generator: torch.Generator) -> Tensor:
    """CTC labels `(steps, frames)`: units on every second frame, blanks between, so that none are merged."""
    units = torch.randint(blank, (steps, MOST_UNITS), generator=generator)
    counts = torch.randint(FEWEST_UNITS, MOST_UNITS + 1, (steps, 1), generator=generator)
    labels = torch.full((steps, frames), blank)
    labels[:, : 2 * MOST_UNITS : 2] = torch.where(torch.arange(MOST_UNITS) < counts, units, blank)
    return labels
