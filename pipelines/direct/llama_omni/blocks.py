"""Speech in blocks, as it arrives: what a streaming encoder works on while the user speaks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from firstpacket.bench.errors import UsageError
from firstpacket.bench.pipeline import SAMPLE_RATE, Samples
from firstpacket.pipelines.direct.llama_omni.config import HOP, N_FFT

STEP_MS = 100
LONGEST_MS = 2000
WHOLE = "whole"
DEFAULT = "500"

OVERLAP = N_FFT - HOP
"""Samples before a mel frame that its window covers too."""

PAST_MELS = 2
"""Mel frames before a block that its convolutions see."""

PAST = OVERLAP + PAST_MELS * HOP
"""Samples before a block that its frames depend on."""


def parse_block(text: str) -> int | None:
    """Samples of a block from an option: 100 to 2000 ms in steps of 100, or `whole` (None). Raises `UsageError`."""
    if text == WHOLE:
        return None
    ms = int(text) if text.isascii() and text.isdecimal() else 0
    if STEP_MS <= ms <= LONGEST_MS and ms % STEP_MS == 0:
        return ms * SAMPLE_RATE // 1000
    raise UsageError(
        f"encoder-block is '{text}', but it must be {STEP_MS} to {LONGEST_MS} ms in steps of {STEP_MS}, or '{WHOLE}' "
        "(one block, after the end of speech)."
    )


class Blocks:
    """Cuts one utterance into blocks.

    Each block `(past + n,)` begins with the samples before it that its features depend on: `OVERLAP` for the first,
    zeros, and `PAST` for later ones.
    """

    def __init__(self, block: int, step: int, longest: int) -> None:
        """`block`, `step` and `longest` in samples: the last block is padded with zeros to whole steps."""
        self._block = block
        self._step = step
        self._samples = np.zeros(PAST + longest, np.float32)
        self._heard = 0
        self._given = 0

    def complete(self, frames: Iterable[Samples]) -> Iterator[Samples]:
        """The blocks that are complete, each as soon as its last sample has arrived.

        Raises `ValueError` for more than `longest` samples.
        """
        for frame in frames:
            end = PAST + self._heard + len(frame)
            self._samples[end - len(frame) : end] = frame
            self._heard += len(frame)
            while self._heard - self._given >= self._block:
                yield self._next(self._block)

    def rest(self) -> Samples | None:
        """What has arrived since the last block, padded; None if there is nothing, except in an empty utterance."""
        left = self._heard - self._given
        steps = -(-left // self._step) if self._given else max(1, -(-left // self._step))
        return self._next(steps * self._step) if steps else None

    def _next(self, length: int) -> Samples:
        past = PAST if self._given else OVERLAP
        start, self._given = PAST + self._given, self._given + length
        return self._samples[start - past : start + length]
