"""How a turn hears: all speech at once when it is over, or block by block while the user speaks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from firstpacket.bench.pipeline import Samples
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.direct.llama_omni.block_encoder import BlockEncoder
from firstpacket.pipelines.direct.llama_omni.config import HOP
from firstpacket.pipelines.direct.llama_omni.model import LlamaOmni
from firstpacket.pipelines.direct.llama_omni.pace import Pace
from firstpacket.pipelines.direct.llama_omni.prompt import Prompt
from firstpacket.pipelines.models.kv_cache import KVCache


class Listener(Protocol):
    """Hears one utterance at a time."""

    @property
    def context(self) -> str:
        """What the encoder hears, for the record of a run."""
        ...

    @property
    def cache_bytes(self) -> int:
        """Bytes reserved for what was heard."""
        ...

    def listen(self, frames: Iterable[Samples], trace: Trace) -> Tensor:
        """16 kHz samples, as they arrive, to the embeddings `(m, hidden)` that the LLM has not taken in yet."""
        ...

    def forget(self) -> None:
        """Keep nothing of the utterance."""
        ...


class WholeListener:
    """Encodes what was said when it is over."""

    cache_bytes = 0

    def __init__(self, model: LlamaOmni, trimmed: bool) -> None:
        """`trimmed`: the encoder gets only the speech instead of the 30 s that it was trained on."""
        self._model = model
        self._trimmed = trimmed
        self.context = "trimmed to the speech" if trimmed else "full"

    def listen(self, frames: Iterable[Samples], trace: Trace) -> Tensor:
        """All embeddings: of 30 s, or of the speech."""
        parts = list(frames)
        samples = parts[0] if len(parts) == 1 else np.concatenate([*parts, np.zeros(0, np.float32)])
        with trace.stage("features", gpu=True):
            mel = self._model.features(samples)
        with trace.stage("encoder", gpu=True):
            states = self._model.encoder(mel[:, : self._heard(len(samples))])
        with trace.stage("adaptor", gpu=True):
            speech: Tensor = self._model.adaptor(states)
        return speech

    def forget(self) -> None:
        """Nothing is kept."""

    def _heard(self, samples: int) -> int:
        """Mel frames given to the encoder: all, or those of the speech, padded to whole embeddings."""
        model = self._model.config
        if not self._trimmed:
            return 2 * model.encoder.positions
        embeddings = max(1, math.ceil(samples / (2 * HOP * model.adaptor.joined)))
        return 2 * min(embeddings * model.adaptor.joined, model.encoder.positions)


class BlockListener:
    """Encodes each block as soon as it is complete, and lets the LLM take in all but the last one."""

    def __init__(self, model: LlamaOmni, block: int | None, text_cache: KVCache) -> None:
        """`block` in samples; None: one block of all speech. Embeddings follow what is in `text_cache`."""
        self._model = model
        self._encoder = BlockEncoder(model, block)
        self._text_cache = text_cache
        length = f"blocks of {self._encoder.block_ms} ms" if block else "one block"
        self.context = f"streaming in {length}"

    @property
    def cache_bytes(self) -> int:
        """Keys and values of the encoder."""
        return self._encoder.cache.nbytes

    def listen(self, frames: Iterable[Samples], trace: Trace) -> Tensor:
        """The last block's embeddings; none if the speech ended with the block before."""
        blocks, pace = self._encoder.blocks(), Pace(trace, self._model.device)
        for block in blocks.complete(frames):
            pace.begins()
            speech = self._encoder.embeddings(block, trace)
            with trace.stage("llm.prefill", gpu=True):
                self._model.llm.remember(speech, self._text_cache)
            pace.launched()
        last = blocks.rest()
        if last is None:
            return torch.empty(0, self._model.config.llm.hidden, device=self._model.device, dtype=self._model.dtype)
        pace.begins()
        return self._encoder.embeddings(last, trace)

    def forget(self) -> None:
        """Begin anew."""
        self._encoder.cache.used = 0

    @torch.inference_mode()
    def warm_up(self, prompt: Prompt) -> None:
        """Take in blocks of every length, so that no kernel is compiled or loaded during a turn."""
        trace, llm, cache = Trace(MonotonicClock()), self._model.llm, self._text_cache
        before = cache.used
        for block in self._encoder.every_length():
            speech = self._encoder.embeddings(block, trace)
            llm.remember(speech, cache)
            cache.used = before
            llm.logits(llm(prompt.rest(llm.embed, speech), cache))
            cache.used = before
        self.forget()
