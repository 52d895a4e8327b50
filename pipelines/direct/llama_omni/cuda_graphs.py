"""How the two steps of every token are launched: kernel by kernel, or on CUDA as recorded graphs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from firstpacket.pipelines.direct.llama_omni.model import LlamaOmni
from firstpacket.pipelines.direct.llama_omni.vocoder import filled_up
from firstpacket.pipelines.models.cuda_graphs import Step, kernels_of, recorded
from firstpacket.pipelines.models.kv_cache import KVCache

LONGEST_FIRST_CHUNK = 64
"""Frames up to which the vocoder is warmed at loading: at Ω = 10, two tokens' units seldom last longer."""


@dataclass(frozen=True, slots=True)
class Launching:
    """How to launch steps; no effect on the CPU."""

    graphs: bool = True
    """Record each step as CUDA graphs."""
    compiled: bool = False
    """Compile each step with torch.compile."""
    overlap: bool = False
    """Vocode on a second stream while the LLM continues."""


class Steps:
    """The LLM's step and the speech decoder's, over an assistant's caches."""

    def __init__(
        self, model: LlamaOmni, text_cache: KVCache, speech_cache: KVCache, prompt_tokens: int, asked: Launching
    ) -> None:
        self._model = model
        self._text_cache = text_cache
        self._speech_cache = speech_cache
        self._text: Step | None = None
        self._speech: Step | None = None
        self.side: torch.cuda.Stream | None = None
        """The stream for sound, if it is not that of the LLM."""
        self.ahead = False
        """Whether the LLM's next step is launched before a packet is waited for."""
        self.notice = ""
        """How steps are launched, if there was a choice: for the record of a run."""
        on_cuda = model.device.type == "cuda"
        if on_cuda and asked.overlap:
            self.side, self.ahead = torch.cuda.Stream(model.device), True  # type: ignore[no-untyped-call]
        if on_cuda and asked.graphs:
            self._record(prompt_tokens + 1, asked.compiled)
        self._warm_vocoder()

    def text(self, token: Tensor) -> tuple[Tensor, Tensor]:
        """Take in a token `(1,)`; returns the state `(1, hidden)` and the scores `(1, vocab)` of the next one."""
        if self._text is not None:
            hidden, logits = self._text(token)
            return hidden, logits
        hidden = self._model.llm(self._model.llm.embed(token), self._text_cache)
        return hidden, self._model.llm.logits(hidden)

    def speech(self, hidden: Tensor) -> Tensor:
        """CTC scores `(λ, units + 1)` of the token that a state `(1, hidden)` predicted."""
        if self._speech is not None:
            return self._speech(hidden)[0]
        scores: Tensor = self._model.speech_decoder(hidden, self._speech_cache)
        return scores

    def _record(self, first_end: int, compiled: bool) -> None:
        """Capture both steps. What cannot be captured here is launched kernel by kernel, and `notice` says so."""
        both = recorded(
            lambda: fixed_steps(self._model, self._text_cache, self._speech_cache, first_end, compiled), compiled
        )
        self.notice = both.notice
        if both.steps:
            self._text, self._speech = both.steps

    @torch.inference_mode()
    def _warm_vocoder(self) -> None:
        """Run every length that a first chunk may have, so that no kernel is compiled or loaded during a turn."""
        vocoder, device = self._model.vocoder, self._model.device
        every = range(1, LONGEST_FIRST_CHUNK + 1)
        with torch.cuda.stream(self.side):
            embedded = vocoder.embed(torch.zeros(1, dtype=torch.int64, device=device))
            for frames in sorted({filled_up(frames) for frames in every}) if vocoder.few_lengths else every:
                vocoder.sound(embedded, torch.tensor([frames], device=device), frames)
        if device.type == "cuda":
            torch.cuda.synchronize(device)


def fixed_steps(
    model: LlamaOmni, text_cache: KVCache, speech_cache: KVCache, first_end: int, compiled: bool = False
) -> tuple[Step, Step]:
    """Both steps with fixed shapes; `first_end` is where the LLM's first step ends, at the least."""
    token = torch.zeros(1, dtype=torch.int64, device=model.device)
    state = torch.zeros(1, model.config.llm.hidden, device=model.device, dtype=model.dtype)
    frames = model.config.speech_decoder.frames_per_token
    return (
        Step(kernels_of(model.llm.step, compiled), token, 1, text_cache, first_end),
        Step(kernels_of(model.speech_decoder.step, compiled), state, frames, speech_cache, frames),
    )
