"""Greedy decoding of one sequence, and its tokens turned into text as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from bench.timing.trace import Trace

SYSTEM = "You are a helpful voice assistant. Answer in one or two short spoken sentences."

Choose = Callable[[Tensor, int], Tensor]
"""From scores `(1, vocab)` and the number of tokens so far to the next id `(1,)`, all on the device."""


def likeliest(logits: Tensor, step: int) -> Tensor:
    """The id `(1,)` with the highest score."""
    return logits.argmax(dim=-1)


@dataclass(frozen=True, slots=True)
class Greedy:
    """A model and how to speak with it. `model` and `tokenizer` are those of transformers."""

    model: Any
    tokenizer: Any
    stops: frozenset[int]
    longest: int
    system: str = SYSTEM
    choose: Choose = likeliest

    @property
    def parameters(self) -> int:
        """Number of values in the model."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    def reply(self, text: str, trace: Trace) -> Iterator[str]:
        """Pieces of the answer to `text`, one per token; the first one costs the prefill."""
        detokeniser = Detokeniser(self._decode)
        ids = torch.tensor([self.prompt_ids(text)], device=self.model.device)
        cache = DynamicCache(config=self.model.config)
        for step in range(self.longest):
            chosen = self._step(ids, cache, step)
            with trace.device_wait() if chosen.is_cuda else nullcontext():
                token = int(chosen)
            if token in self.stops:
                break
            yield detokeniser.push(token)
            ids = chosen[None]
        yield detokeniser.flush()

    def prompt_ids(self, text: str) -> list[int]:
        """The prompt in the model's own conversation format; plain text for models that have none."""
        if not self.tokenizer.chat_template:
            return list(self.tokenizer(f"{self.system}\n\n{text}\n\n").input_ids)
        messages = [{"role": "system", "content": self.system}, {"role": "user", "content": text}]
        prompt = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return list(self.tokenizer(prompt, add_special_tokens=False).input_ids)

    # Not around the generator: inference mode belongs to the thread and would leak to whoever asks for pieces.
    @torch.inference_mode()
    def _step(self, ids: Tensor, cache: DynamicCache, step: int) -> Tensor:
        out = self.model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        return self.choose(out.logits[:, -1], step)

    def _decode(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))


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
