"""One turn: encode speech, generate a token, predict its units, and send sound as soon as Ω units are pending.

Each text token costs one read from the device, for the token and its labels together: what to launch next depends on
whether the reply has ended and whether a chunk is due.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from firstpacket.bench.pipeline import SAMPLE_RATE, OptionValue, Packet, Samples
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.direct.llama_omni.chunking import Chunker
from firstpacket.pipelines.direct.llama_omni.config import EncoderContext
from firstpacket.pipelines.direct.llama_omni.ctc import Collapse
from firstpacket.pipelines.direct.llama_omni.cuda_graphs import Launching, Steps
from firstpacket.pipelines.direct.llama_omni.listening import BlockListener, Listener, WholeListener
from firstpacket.pipelines.direct.llama_omni.model import LlamaOmni
from firstpacket.pipelines.direct.llama_omni.prompt import Prompt
from firstpacket.pipelines.direct.llama_omni.sampling import Choices
from firstpacket.pipelines.models.packing import PackedConv, kernel_names, pack
from firstpacket.pipelines.models.threads import fits_one_core, one_thread


@dataclass(frozen=True, slots=True)
class Plan:
    """Generation settings. `chunk_units` is Ω; None means one chunk when the reply is complete."""

    prompt: Prompt
    choices: Choices
    eos: frozenset[int]
    max_new_tokens: int
    chunk_units: int | None
    encoder_context: EncoderContext = "full"
    block: int | None = None
    """Samples per block of a streaming encoder; None: all speech is one block."""
    launching: Launching = field(default_factory=Launching)


class Assistant:
    """A model with a plan, and caches that fit it; answers one turn at a time.

    The assistant takes over the model: its weights are repacked.
    """

    def __init__(self, model: LlamaOmni, plan: Plan) -> None:
        self.one_thread = fits_one_core(*(part for part, _ in model.parts().values()))
        """Whether a step, and a block of speech, is too little work for more than one thread."""
        self.streams = plan.encoder_context == "streaming"
        for part, _ in model.parts().values():
            pack(part)
        model.vocoder.few_lengths = isinstance(model.vocoder.conv_pre, PackedConv)
        self.model = model
        self.plan = plan
        speech = model.config.encoder.positions // model.config.adaptor.joined
        self.prompt_tokens = min(plan.prompt.text_tokens + speech, model.config.longest_prompt)
        self.text_cache = model.text_cache(self.prompt_tokens + plan.max_new_tokens)
        self.speech_cache = model.speech_cache(plan.max_new_tokens)
        self._remember_head()
        self.shortest_prompt = self.prompt_tokens if plan.encoder_context == "full" else plan.prompt.text_tokens + 1
        with one_thread(self.one_thread):
            self.steps = Steps(model, self.text_cache, self.speech_cache, self.shortest_prompt, plan.launching)
            self.listener = self._listener()

    @torch.inference_mode()
    def _remember_head(self) -> None:
        """Take in the text before the speech, once: every turn begins with it."""
        head = self.plan.prompt.head(self.model.llm.embed)[: self.prompt_tokens - 1]
        if len(head):
            self.model.llm.remember(head, self.text_cache)
        self.head_tokens = self.text_cache.used

    def _listener(self) -> Listener:
        if not self.streams:
            return WholeListener(self.model, trimmed=self.plan.encoder_context == "trimmed")
        listener = BlockListener(self.model, self.plan.block, self.text_cache)
        listener.warm_up(self.plan.prompt)
        return listener

    def facts(self) -> dict[str, OptionValue]:
        """What the model runs with: precision, threads, kernels."""
        facts: dict[str, OptionValue] = {
            "vocoder_dtype": str(self.model.vocoder.sound_dtype).removeprefix("torch."),
            "encoder_context": self.listener.context,
            "kernels": kernel_names(self.model.llm),
            "threads": torch.get_num_threads(),
            "threads_per_step": 1 if self.one_thread else torch.get_num_threads(),
        }
        if self.steps.notice:
            facts["cuda_graphs"] = self.steps.notice
        return facts

    @property
    def cache_bytes(self) -> int:
        """Bytes reserved for keys and values."""
        return self.text_cache.nbytes + self.speech_cache.nbytes + self.listener.cache_bytes

    def turn(self, trace: Trace) -> Turn:
        """Begin a turn; the one before it must be over."""
        self.forget()
        return Turn(self, trace)

    def forget(self) -> None:
        """Leave nothing of a turn in the caches but the text before the speech."""
        self.text_cache.used = self.head_tokens
        self.speech_cache.used = 0
        self.listener.forget()


class Turn:
    """One utterance and its answer."""

    def __init__(self, assistant: Assistant, trace: Trace) -> None:
        self._assistant = assistant
        self._model = assistant.model
        self._plan = assistant.plan
        self._trace = trace
        self._collapse = Collapse(blank=assistant.model.config.speech_decoder.units)
        self.chunker = Chunker(assistant.plan.chunk_units)
        self.ids: list[int] = []
        """Text tokens so far, the end of sequence included."""
        self.units_after_token: list[int] = []
        """How many units were known after each text token."""

    @torch.inference_mode()
    def packets(self, frames: Iterable[Samples]) -> Iterator[Packet]:
        """Answer 16 kHz samples `(n,)` float32, which may arrive in pieces; the caches are left as they were before."""
        try:
            yield from self._answer(frames)
        finally:
            self._assistant.forget()

    def _answer(self, frames: Iterable[Samples]) -> Iterator[Packet]:
        self._plan.choices.begin()
        assistant = self._assistant
        with one_thread(assistant.one_thread and assistant.streams):
            hidden, token = self._prefill(assistant.listener.listen(frames, self._trace))
            with one_thread(assistant.one_thread):
                yield from self._speak(hidden, token)

    def _speak(self, hidden: Tensor, token: Tensor) -> Iterator[Packet]:
        """Packets of the reply that begins with `token`, which `hidden` predicted."""
        ahead = self._assistant.steps.ahead
        while True:
            ended = self._decode_speech(hidden, token)
            chunk = self.chunker.due(ended)
            wave = self._vocode(chunk) if chunk else None
            if ahead and not ended:
                hidden, token = self._decode_text(token)
            if wave is not None:
                yield self._packet(wave)
            if ended:
                return
            if not ahead:
                hidden, token = self._decode_text(token)

    def _prefill(self, speech: Tensor) -> tuple[Tensor, Tensor]:
        with self._trace.stage("llm.prefill", gpu=True) as span:
            embeds = self._plan.prompt.rest(self._model.llm.embed, speech)
            kept = embeds[: self._assistant.prompt_tokens - self._assistant.head_tokens]
            hidden = self._model.llm(kept, self._assistant.text_cache)
            chosen = hidden, self._choose(self._model.llm.logits(hidden))
            span.first_output()
        return chosen

    def _decode_text(self, token: Tensor) -> tuple[Tensor, Tensor]:
        with self._trace.stage("llm.decode", gpu=True):
            hidden, logits = self._assistant.steps.text(token)
            return hidden, self._choose(logits)

    def _choose(self, logits: Tensor) -> Tensor:
        """The token `(1,)` that scores `(1, vocab)` predict; it is not waited for."""
        return self._plan.choices.token(logits, len(self.ids))

    def _decode_speech(self, hidden: Tensor, token: Tensor) -> bool:
        """Units of the token that `hidden` predicted; returns whether the reply ends with it.

        The end of sequence is spoken too: its state yields λ frames like any other.
        """
        with self._trace.stage("speech_decoder", gpu=True):
            logits = self._assistant.steps.speech(hidden)
            labels = self._plan.choices.labels(logits, len(self.ids))
            both = torch.cat((token, labels))
            with self._trace.device_wait():
                chosen, *heard = both.tolist()
            self.chunker.push(self._collapse.push(heard))
        self.ids.append(chosen)
        self.units_after_token.append(len(self.chunker.units))
        return chosen in self._plan.eos or len(self.ids) == self._plan.max_new_tokens

    def _vocode(self, chunk: list[int]) -> Tensor:
        vocoder, choices = self._model.vocoder, self._plan.choices
        # Units come from the host, so the other stream, if any, has nothing to wait for.
        with torch.cuda.stream(self._assistant.steps.side), self._trace.stage("vocoder", gpu=True):
            embedded = vocoder.embed(torch.tensor(chunk, device=self._model.device))
            predicted = vocoder.durations(vocoder.dur_predictor(embedded))
            durations = choices.durations(predicted, self.chunker.borders[-1][0])
            total = durations.sum()
            with self._trace.device_wait():
                frames = int(total)
            return choices.wave(vocoder.sound(embedded, durations, frames))

    def _packet(self, wave: Tensor) -> Packet:
        side = torch.cuda.stream(self._assistant.steps.side)
        with side, self._trace.stage("copy", gpu=True), self._trace.device_wait():
            samples: Samples = wave.cpu().numpy().astype(np.float32, copy=False)
        return Packet(samples, SAMPLE_RATE, after=self._trace.hand_off("copy"))
