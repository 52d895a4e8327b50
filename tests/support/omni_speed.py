"""The plain model and ours with the same weights and the same work, to be timed against each other."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from firstpacket.bench.stats.paired import paired_ratio
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.spans import TurnTrace
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.direct.llama_omni import dummy
from firstpacket.pipelines.direct.llama_omni.config import AdaptorConfig, EncoderConfig, OmniConfig, SpeechDecoderConfig
from firstpacket.pipelines.direct.llama_omni.model import LlamaOmni
from firstpacket.pipelines.direct.llama_omni.prompt import SPEECH_TOKEN, Prompt
from firstpacket.pipelines.direct.llama_omni.sampling import Choices, Sampling
from firstpacket.pipelines.direct.llama_omni.streaming import Assistant, Plan, Turn
from firstpacket.pipelines.models.llama_config import LlamaConfig, RopeScaling
from support.omni_checkpoint import encoder_tensors, shards
from support.plain_omni import PlainOmni, Reply, Sizes

CPU = torch.device("cpu")
AUDIO = np.random.default_rng(5).normal(0, 0.1, 48_000).astype(np.float32)
BEFORE, AFTER = tuple(range(10, 55)), tuple(range(60, 81))
"""66 text positions, as many as the published prompt is thought to have; 300 of speech lie between."""

TINY = Sizes(positions=100, llm=(2, 64, 2, 2, 128), decoder=(2, 256, 4, 512), vocab=128, units=1000, channels=32)
SMALL = Sizes(
    positions=1500,
    encoder=(4, 384, 6),
    adaptor=2048,
    llm=(4, 512, 8, 8, 1408),
    vocab=4096,
    decoder=(2, 512, 8, 1408),
    units=1000,
    embedding=128,
    channels=512,
)
MIDDLE = replace(SMALL, encoder=(6, 512, 8), llm=(8, 1024, 16, 16, 2816), vocab=32_000, decoder=(2, 1024, 16, 2816))


class Plain(PlainOmni):
    """The plain model in a precision of choice. With `labels` their units are spoken, after the full arithmetic."""

    def __init__(self, sizes: Sizes, labels: Tensor | None = None) -> None:
        super().__init__(sizes)
        self.vocoder.fold()
        self.scores = None if labels is None else functional.one_hot(labels.flatten(), sizes.units + 1).float()

    def muted(self) -> Plain:
        """The same weights without a vocoder."""
        other = copy.copy(self)
        other._modules = {**self._modules, "vocoder": NoSound()}
        return other

    def in_bfloat16(self) -> Plain:
        """A copy of it; the vocoder stays in float32, as published."""
        other = copy.deepcopy(self).bfloat16()
        other.vocoder = self.vocoder
        return other

    def mel(self, audio: np.ndarray) -> Tensor:
        return super().mel(audio).to(self.output_proj.weight.dtype)

    def ctc(self, states: Tensor) -> Tensor:
        scores = super().ctc(states)
        return scores if self.scores is None else self.scores[: len(scores)]

    def chunks(self, tokens: int, chunk_units: int | None = 10, reply: Reply | None = None) -> Iterator[Tensor]:
        """The answer to `AUDIO`, whose end is not heard before `tokens` tokens."""
        return self.stream(AUDIO, BEFORE, AFTER, tokens, (), chunk_units, reply)


class NoSound(nn.Module):
    """In place of a vocoder: what comes before it is then timed alone."""

    dur_predictor = staticmethod(torch.zeros_like)

    def embed(self, units: Tensor) -> Tensor:
        """Units `(n,)`, as they are."""
        return units

    def durations(self, predicted: Tensor) -> Tensor:
        """Frames `(n,)`: one each."""
        return torch.ones_like(predicted)

    def sound(self, embedded: Tensor, durations: Tensor, frames: int) -> Tensor:
        """Silence `(320 · frames,)`."""
        return torch.zeros(320 * frames)

    def forward(self, units: Tensor) -> Tensor:
        """Units `(n,)` to 20 ms of silence each."""
        return torch.zeros(320 * len(units))


class Ours:
    """Our model with a plain one's weights."""

    def __init__(
        self,
        plain: Plain,
        labels: Tensor | None,
        tokens: int,
        dtype: torch.dtype = torch.float32,
        sound: torch.dtype = torch.float32,
    ) -> None:
        model = with_weights_of(plain, dtype)
        model.vocoder.sound_in(sound)
        self.plan = Plan(
            prompt=Prompt([*BEFORE, SPEECH_TOKEN, *AFTER], CPU),
            choices=Choices(Sampling(), CPU) if labels is None else FixedLabels(labels),
            eos=frozenset(),
            max_new_tokens=tokens,
            chunk_units=10,
        )
        self.assistant = Assistant(model, self.plan)

    def muted(self) -> Ours:
        """The same weights without a vocoder."""
        other = copy.copy(self)
        other.assistant = copy.copy(self.assistant)
        other.assistant.model = replace(self.assistant.model, vocoder=NoSound())
        return other

    def turn(self) -> tuple[Turn, Trace]:
        trace = Trace(MonotonicClock())
        return self.assistant.turn(trace), trace

    def chunks(self) -> Iterator[object]:
        return self.turn()[0].packets([AUDIO])

    def traced(self, chunk_units: int | None) -> TurnTrace:
        """A whole turn with another chunk size."""
        self.assistant.plan = replace(self.plan, chunk_units=chunk_units)
        turn, trace = self.turn()
        for _ in turn.packets([AUDIO]):
            pass
        return trace.finish()


class FixedLabels(Choices):
    """Given labels, after the full arithmetic."""

    def __init__(self, labels: Tensor) -> None:
        super().__init__(Sampling(), CPU)
        self._labels = labels

    def labels(self, logits: Tensor, step: int) -> Tensor:
        super().labels(logits, step)
        return self._labels[step]


def fixed_labels(tokens: int) -> Tensor:
    """`(tokens, 25)`: 5 to 9 units per token, as dummy weights have them."""
    return dummy._unit_frames(tokens, 25, 1000, torch.Generator().manual_seed(0))


def with_weights_of(plain: Plain, dtype: torch.dtype) -> LlamaOmni:
    """Our model, not packed yet."""
    model = LlamaOmni.without_weights(config_of(plain.sizes), CPU, dtype)
    tensors, renamed = (
        shards(plain),
        {"model.speech_projector.": model.adaptor, "speech_generator.": model.speech_decoder},
    )
    loads = [(model.encoder, encoder_tensors(plain)), (model.vocoder, plain.vocoder.state_dict())]
    loads += [
        (part, {n.removeprefix(p): t for n, t in tensors.items() if n.startswith(p)}) for p, part in renamed.items()
    ]
    loads += [(model.llm, {n: t for n, t in tensors.items() if not n.startswith(tuple(renamed))})]
    kinds = {id(part): kind for part, kind in model.parts().values()}
    for part, state in loads:
        part.to(kinds[id(part)]).to_empty(device="cpu").load_state_dict(state)
    return model


def config_of(sizes: Sizes) -> OmniConfig:
    layers, hidden, heads, kv_heads, inner = sizes.llm
    scaling = RopeScaling(8.0, 1.0, 4.0, 8192)
    llm = LlamaConfig(hidden, layers, heads, kv_heads, hidden // heads, inner, sizes.vocab, rope_scaling=scaling)
    layers, width, heads, inner = sizes.decoder
    decoder = replace(
        llm, hidden=width, layers=layers, heads=heads, kv_heads=heads, head_dim=width // heads, intermediate=inner
    )
    base, encoder = dummy.config("8b"), sizes.encoder
    return OmniConfig(
        encoder=EncoderConfig(sizes.mels, sizes.positions, encoder[1], encoder[2], encoder[0]),
        adaptor=AdaptorConfig(sizes.joined, encoder[1], hidden, sizes.adaptor),
        llm=llm,
        speech_decoder=SpeechDecoderConfig(hidden, decoder, sizes.units, sizes.frames_per_token),
        vocoder=replace(
            base.vocoder,
            units=sizes.units,
            embedding=sizes.embedding,
            duration_inner=sizes.embedding,
            first_channels=sizes.channels,
        ),
        bos=0,
        eos=(),
    )


def first(chunks: Iterator[object]) -> None:
    """The first packet alone."""
    next(chunks)
    chunks.close()  # type: ignore[attr-defined]


def whole(chunks: Iterator[object]) -> None:
    for _ in chunks:
        pass


def paired_seconds(ways: Sequence[Callable[[], None]], pairs: int) -> list[list[float]]:
    """Seconds of each way, `pairs` times, interleaved and every other time in reverse: drift hits all alike."""
    taken: list[list[float]] = [[] for _ in ways]
    for pair in range(pairs):
        order = range(len(ways)) if pair % 2 == 0 else reversed(range(len(ways)))
        for way in order:
            start = time.perf_counter()
            ways[way]()
            taken[way].append(time.perf_counter() - start)
    return taken


def faster(name: str, plain: Sequence[float], ours: Sequence[float], goal: float) -> str:
    """One line: medians in seconds, how many times faster ours is, and whether the goal is met at the lower end."""
    value, low, high, kind = ratio(ours, plain)
    return (
        f"{name:<58} plain {np.median(plain):7.3f} s  ours {np.median(ours):7.3f} s  {value:5.2f} times faster "
        f"({low:.2f} to {high:.2f}, {kind}; goal {goal:g}: {'met' if low >= goal else 'NOT MET'})"
    )


def ratio(before: Sequence[float], after: Sequence[float]) -> tuple[float, float, float, str]:
    """`after / before` over pairs: the median, its interval (or lowest and highest of few pairs), and which of them."""
    estimate = paired_ratio(before, after, range(len(before)))
    assert estimate is not None
    if estimate.interval is not None:
        return estimate.value, estimate.interval.low, estimate.interval.high, f"95 %, {len(before)} pairs"
    each = [b / a for a, b in zip(before, after, strict=True)]
    return estimate.value, min(each), max(each), f"lowest and highest of {len(before)} pairs"


@contextmanager
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        yield
    finally:
        torch.set_num_threads(before)
