"""Writing a reply token by token, and turning the tokens into text as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from firstpacket.bench.errors import UsageError
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.llm.conversation import Conversation
from firstpacket.pipelines.models.sampling import Sampler


class Decoder(Protocol):
    """A language model over one cached sequence."""

    @property
    def positions(self) -> int:
        """How long prompt and reply may be together, in tokens."""
        ...

    def prefill(self, ids: Sequence[int]) -> Tensor:
        """Begin a text; returns the scores `(1, vocab)` of what follows."""
        ...

    def step(self, token: Tensor) -> Tensor:
        """Take in a token `(1,)`; returns the scores `(1, vocab)` of the next one."""
        ...


@dataclass(frozen=True, slots=True)
class Writer:
    """A model and its limits: `ends` are the ids that end a reply, `longest` its maximum number of tokens."""

    decoder: Decoder
    conversation: Conversation
    choices: Sampler
    ends: frozenset[int]
    longest: int

    def reply(self, text: str, trace: Trace) -> Iterator[str]:
        """Pieces of the answer to `text`, one per token; the first one costs the prefill.

        Raises `UsageError` for a text that is longer than the cache.
        """
        detokeniser = Detokeniser(self.conversation.decode)
        chosen = self._begin(text)
        for step in range(1, self.longest + 1):
            with trace.device_wait() if chosen.is_cuda else nullcontext():
                token = int(chosen)
            if token in self.ends:
                break
            yield detokeniser.push(token)
            if step < self.longest:
                chosen = self._next(chosen, step)
        yield detokeniser.flush()

    # Not around the generator: inference mode is per thread and would leak to the caller.
    @torch.inference_mode()
    def _begin(self, text: str) -> Tensor:
        ids = self.conversation.prompt(text)
        if len(ids) + self.longest > self.decoder.positions:
            raise UsageError(
                f"The prompt has {len(ids)} tokens, but with replies of up to {self.longest} the language model's "
                f"{self.decoder.positions} positions leave room for {self.decoder.positions - self.longest}. Increase "
                "llm-context (up to the model's limit), or reduce llm-max-tokens."
            )
        self.choices.begin()
        return self.choices.token(self.decoder.prefill(ids), 0)

    @torch.inference_mode()
    def _next(self, token: Tensor, step: int) -> Tensor:
        return self.choices.token(self.decoder.step(token), step)


class Detokeniser:
    """Turns ids into text as they come, holding back a character until all its bytes are there.

    Ids are decoded together with those of the piece before: many tokenizers write a word's leading space only when
    something comes before it.
    """

    def __init__(self, decode: Callable[[list[int]], str]) -> None:
        self._decode = decode
        self._ids: list[int] = []
        self._context = 0
        self._told = 0

    def push(self, token: int) -> str:
        """The text that is certain now; empty while a character is incomplete."""
        self._ids.append(token)
        new = self._untold()
        if new.endswith("\N{REPLACEMENT CHARACTER}"):
            return ""
        self._context, self._told = self._told, len(self._ids)
        return new

    def flush(self) -> str:
        """What is left at the end."""
        new = self._untold()
        self._context = self._told = len(self._ids)
        return new

    def _untold(self) -> str:
        known = self._decode(self._ids[self._context : self._told])
        return self._decode(self._ids[self._context :])[len(known) :]
