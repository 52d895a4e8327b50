"""A Llama that writes one text after another, each beginning with the same head."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from firstpacket.pipelines.models.cuda_graphs import Step, kernels_of, recorded
from firstpacket.pipelines.models.kv_cache import KVCache
from firstpacket.pipelines.models.llama import Llama
from firstpacket.pipelines.models.packing import kernel_names, pack


class Decoder:
    """A model and a cache of fixed size that contains the head's keys and values from loading on.

    The decoder takes over the model: on the CPU its weights are repacked. On CUDA the step of one token is
    replayed from graphs recorded here, unless `graphs` is false.
    """

    def __init__(
        self, llama: Llama, positions: int, head: Sequence[int], *, graphs: bool = True, compiled: bool = False
    ) -> None:
        """`positions` is the longest text, prompt and reply together. Raises `ValueError` if the head is longer."""
        weight = llama.model.embed_tokens.weight
        self.device = weight.device
        self.positions = positions
        pack(llama)
        self._llama = llama
        self._cache = KVCache(llama.config, positions, weight.device, weight.dtype)
        self._head = list(head)
        self._step: Step | None = None
        self.notice = ""
        """How steps are launched, if there was a choice: for the record of a run."""
        self._remember_head()
        if graphs and self.device.type == "cuda":
            self._record(compiled)

    @property
    def head_tokens(self) -> int:
        """Length of the head, which no prompt has to compute."""
        return len(self._head)

    @property
    def cache_bytes(self) -> int:
        """Bytes taken by keys and values."""
        return self._cache.nbytes

    @property
    def kernels(self) -> str:
        """Which matrix kernels are in use."""
        return kernel_names(self._llama)

    @torch.inference_mode()
    def prefill(self, ids: Sequence[int]) -> Tensor:
        """Begin a text with ids; returns the scores `(1, vocab)` of what follows.

        Raises `ValueError` when they do not fit.
        """
        shared = self._shared(ids)
        self._cache.used = shared
        new = torch.tensor(ids[shared:], dtype=torch.int64, device=self.device)
        return self._llama.logits(self._llama(self._llama.embed(new), self._cache))

    @torch.inference_mode()
    def step(self, token: Tensor) -> Tensor:
        """Take in a token `(1,)`; returns the scores `(1, vocab)` of the next one, valid until the next step."""
        if self._step is not None:
            return self._step(token)[1]
        return self._llama.logits(self._llama(self._llama.embed(token), self._cache))

    def _shared(self, ids: Sequence[int]) -> int:
        """How many of the first ids the cache holds: the head, or nothing for a text that begins otherwise."""
        if len(ids) <= len(self._head) or list(ids[: len(self._head)]) != self._head:
            self._kept = False
            return 0
        if not self._kept:
            self._remember_head()
        return len(self._head)

    @torch.inference_mode()
    def _remember_head(self) -> None:
        self._cache.used = 0
        if self._head:
            ids = torch.tensor(self._head, dtype=torch.int64, device=self.device)
            self._llama.remember(self._llama.embed(ids), self._cache)
        self._kept = True

    def _record(self, compiled: bool) -> None:
        token = torch.zeros(1, dtype=torch.int64, device=self.device)
        work = kernels_of(self._llama.step, compiled)
        made = recorded(lambda: (Step(work, token, 1, self._cache, len(self._head) + 1),), compiled)
        self._step, self.notice = next(iter(made.steps), None), made.notice
