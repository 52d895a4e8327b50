"""Sizes of Whisper models, as published and as made up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

WINDOW_S = 30
"""Seconds of speech that the encoder hears at once; shorter speech is followed by silence."""

MULTILINGUAL = 51865
"""Words of the vocabulary with 99 languages; large-v3 has one language more."""

TEXT_POSITIONS = 448


class EncoderSizes(Protocol):
    """Sizes of a speech encoder, for example those of a direct model."""

    @property
    def mels(self) -> int:
        """Bands of the features."""
        ...

    @property
    def positions(self) -> int:
        """Frames that come out of it."""
        ...

    @property
    def state(self) -> int:
        """Width."""
        ...

    @property
    def heads(self) -> int:
        """Heads of attention."""
        ...

    @property
    def layers(self) -> int:
        """Blocks."""
        ...


@dataclass(frozen=True, slots=True)
class WhisperSizes:
    """Sizes of a Whisper: encoder, decoder and vocabulary. Both halves are `state` wide with `heads` heads."""

    state: int
    heads: int
    layers: int
    decoder_layers: int
    mels: int = 80
    vocab: int = MULTILINGUAL
    positions: int = 1500

    @classmethod
    def with_encoder(cls, encoder: EncoderSizes) -> WhisperSizes:
        """A Whisper whose encoder has just these sizes, and whose decoder has as many blocks."""
        return cls(
            state=encoder.state,
            heads=encoder.heads,
            layers=encoder.layers,
            decoder_layers=encoder.layers,
            mels=encoder.mels,
            vocab=MULTILINGUAL + (encoder.mels == 128),
            positions=encoder.positions,
        )


SIZES = {
    "micro": WhisperSizes(128, 2, 2, 2),
    "tiny": WhisperSizes(384, 6, 4, 4),
    "base": WhisperSizes(512, 8, 6, 6),
    "small": WhisperSizes(768, 12, 12, 12),
    "medium": WhisperSizes(1024, 16, 24, 24),
    "large-v3": WhisperSizes(1280, 20, 32, 32, mels=128, vocab=MULTILINGUAL + 1),
    "large-v3-turbo": WhisperSizes(1280, 20, 32, 4, mels=128, vocab=MULTILINGUAL + 1),
}
"""Published sizes (Radford et al. 2022, table 1; the model cards of the third version), and `micro`, whose encoder is
that of the smallest dummy of the direct model."""
