"""From blocks of speech to embeddings for the LLM, with the keys and values of the blocks before."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch import Tensor

from firstpacket.bench.errors import UsageError
from firstpacket.bench.pipeline import SAMPLE_RATE, Samples
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.direct.llama_omni.blocks import PAST, Blocks
from firstpacket.pipelines.direct.llama_omni.config import HOP, OmniConfig
from firstpacket.pipelines.direct.llama_omni.encoder import EncoderCache
from firstpacket.pipelines.direct.llama_omni.features import CausalLogMel
from firstpacket.pipelines.direct.llama_omni.model import LlamaOmni


class BlockEncoder:
    """Features, encoder and adaptor, block by block; one utterance at a time."""

    def __init__(self, model: LlamaOmni, block: int | None) -> None:
        """`block` in samples; None: one block of all speech."""
        sizes = model.config.encoder
        self._model = model
        self._step = samples_per_embedding(model.config)
        self._longest = 2 * sizes.positions * HOP
        self._block = block or self._longest
        self._features = CausalLogMel(sizes.mels, model.device)
        self.cache = EncoderCache(sizes, model.device, model.dtype)

    @property
    def block_ms(self) -> int:
        """Length of a block."""
        return self._block * 1000 // SAMPLE_RATE

    def blocks(self) -> Blocks:
        """The blocks of the next utterance, whose beginning the cache must not know yet."""
        return Blocks(self._block, self._step, self._longest)

    def every_length(self) -> Iterator[Samples]:
        """Silent blocks of every length that one may have after another; none if all speech is one block."""
        lengths = range(self._step, self._block + 1, self._step) if self._block < self._longest else ()
        for length in lengths:
            self.cache.used = self._step // (2 * HOP)
            yield np.zeros(PAST + length, np.float32)

    def embeddings(self, block: Samples, trace: Trace) -> Tensor:
        """The next block, with the samples before it, to `(m, hidden)`."""
        with trace.stage("features", gpu=True):
            mel = self._features(block)
        with trace.stage("encoder", gpu=True):
            frames = self._model.encoder.encode_block(mel, self.cache)
        with trace.stage("adaptor", gpu=True):
            speech: Tensor = self._model.adaptor(frames)
        return speech


def samples_per_embedding(config: OmniConfig) -> int:
    """100 ms with the published adaptor, which joins 5 frames."""
    return 2 * HOP * config.adaptor.joined


def check_blocks(config: OmniConfig, block: int | None, text: int) -> None:
    """Raises `UsageError` unless the model can take blocks of so many samples, with a prompt of `text` text tokens."""
    joined, positions = config.adaptor.joined, config.encoder.positions
    if positions % joined or text + positions // joined > config.longest_prompt:
        raise UsageError(
            f"encoder-context=streaming needs whole embeddings and an uncut prompt, but this model joins {joined} of "
            f"{positions} encoder frames, and its prompt has {text} text tokens of {config.longest_prompt} positions. "
            "Use encoder-context=full."
        )
    ms, step_ms = (block or 0) * 1000 // SAMPLE_RATE, samples_per_embedding(config) * 1000 // SAMPLE_RATE
    if ms % step_ms:
        raise UsageError(
            f"encoder-block is {ms} ms, but this model joins {joined} encoder frames of 20 ms. Use a "
            f"multiple of {step_ms} ms."
        )
    if ms > config.encoder.seconds * 1000:
        raise UsageError(
            f"encoder-block is {ms} ms, but this model's encoder hears no more than {config.encoder.seconds:g} s. Use "
            "a shorter block, or encoder-block=whole."
        )
