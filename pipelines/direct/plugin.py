"""The pipeline `direct`: a LLaMA-Omni style model that answers speech with speech."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from firstpacket.bench.errors import CorpusError, MissingDependency, UsageError
from firstpacket.bench.pipeline import (
    SAMPLE_RATE,
    Declaration,
    Option,
    OptionValue,
    Packet,
    Pipeline,
    Requirement,
    Samples,
    Settings,
    Speech,
    Stage,
    Weights,
    Work,
)
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.direct.llama_omni import blocks
from firstpacket.pipelines.direct.llama_omni.chunking import parse_chunk_units
from firstpacket.pipelines.endpointing import Endpointer, with_endpointing
from firstpacket.pipelines.weights import kinds

if TYPE_CHECKING:
    import torch

    from firstpacket.pipelines.direct.llama_omni.config import OmniConfig
    from firstpacket.pipelines.direct.llama_omni.loading import Assembled
    from firstpacket.pipelines.direct.llama_omni.work import Listening

LONGEST_CANNED_REPLY = 36
"""Tokens, the end of sequence included."""

DTYPES = ("float32", "bfloat16", "float16")
STREAMING = "streaming"

_MODEL = Declaration(
    name="direct",
    kind="direct",
    summary="LLaMA-Omni style: speech encoder, adaptor, LLM, streaming speech decoder, unit vocoder.",
    stages=(
        Stage("features", "listen"),
        Stage("encoder", "listen"),
        Stage("adaptor", "listen"),
        Stage("llm.prefill", "think", "llm"),
        Stage("llm.decode", "think", "llm"),
        Stage("speech_decoder", "speak"),
        Stage("vocoder", "speak"),
        Stage("copy", "move"),
    ),
    options=(
        Option(
            "weights",
            kinds.DEFAULT,
            "demo (small, trained in this project), dummy (random values), a checkpoint folder, or a hub name",
        ),
        Option("size", "tiny", "size of the dummy model (implies weights=dummy)", choices=("tiny", "1b", "8b")),
        Option("chunk-units", "10", "units per audio chunk (Ω): a whole number of 10 or more, or inf"),
        Option("max-new-tokens", 256, "maximum length of a reply, in text tokens"),
        Option("temperature", 0.0, "sampling temperature; 0 is greedy"),
        Option("top-p", 1.0, "nucleus sampling: cumulative probability considered"),
        Option("encoder", "", "Whisper .pt file or folder; empty: the one named by the checkpoint"),
        Option("vocoder", "", "folder of the unit vocoder; empty: vocoder/ in or next to the checkpoint"),
        Option(
            "overlong",
            "error",
            "speech longer than the encoder's window (30 s): refuse it or cut it",
            choices=("error", "cut"),
        ),
        Option("vocoder-dtype", "float32", "precision of the vocoder", choices=("float32", "bfloat16")),
        Option(
            "encoder-context",
            "full",
            "encoder input: 30 s, padded with silence; the speech alone; or blocks of it while the user speaks",
            choices=("full", "trimmed", STREAMING),
        ),
        Option(
            "encoder-block",
            "",
            "length of a block (encoder-context=streaming; default 500): 100 to 2000 ms in steps of 100, or whole",
        ),
        Option("cuda-graphs", True, "on CUDA: replay each token's steps as CUDA graphs"),
        Option("compile", False, "on CUDA, with cuda-graphs: compile these steps with torch.compile"),
        Option("overlap", False, "on CUDA: run the vocoder on a second stream while the LLM continues"),
    ),
    requires=tuple(Requirement(module, "direct") for module in ("torch", "safetensors", "tokenizers")),
    gpu="optional",
)


class Direct(Pipeline):
    """LLaMA-Omni (arXiv 2409.06666): speech encoder, adaptor, LLM, streaming speech decoder, unit vocoder."""

    declaration = with_endpointing(_MODEL, {})

    @classmethod
    def declare(cls, chosen: Mapping[str, OptionValue]) -> Declaration:
        """The declaration, with what the chosen endpointing needs, and the weights that a chosen size implies."""
        options = kinds.settled(_MODEL.options, chosen)
        streams = chosen.get("encoder-context") == STREAMING
        if streams:
            options = tuple(_with_default_block(option) for option in options)
        early = streams and chosen.get("encoder-block") != blocks.WHOLE
        return with_endpointing(replace(_MODEL, options=options, starts_before_speech_ends=early), chosen)

    def __init__(self, settings: Settings) -> None:
        """Check the options. Raises `UsageError`."""
        super().__init__(settings)
        _check(settings)
        self._endpointer = Endpointer(settings)
        self._assembled: Assembled | None = None

    def load(self) -> None:
        """Load or make the weights, and reserve the caches.

        Raises `UsageError`, `MissingDependency` or `WeightsError`.
        """
        try:
            from firstpacket.pipelines.direct.llama_omni.loading import assemble
        except ImportError as error:
            raise MissingDependency(
                f"The direct pipeline needs {error.name}, which is not installed. "
                "Install it with: pip install 'firstpacket[direct]'"
            ) from error
        self._endpointer.load()
        self._assembled = assemble(self.settings)

    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
        """Answer one utterance.

        Raises `CorpusError` when it is longer than the encoder's window (option overlong), and `WeightsError` when
        memory runs out.
        """
        ready = self._ready()
        turn = ready.assistant.turn(trace)
        with closing(self._heard(speech, trace)) as frames, ready.room.explained("answering"):
            yield from turn.packets(frames)
        trace.text("reply", ready.tokenizer.decode(turn.ids))

    def _heard(self, speech: Speech, trace: Trace) -> Generator[Samples, None, None]:
        """The user's speech as the encoder takes it in: whole, or frame by frame."""
        heard, overlong = self._endpointer.heard(speech, trace), self.settings.text("overlong")
        limit_s = self._ready().loaded.model.config.encoder.seconds
        if self.settings.text("encoder-context") != STREAMING:
            yield _within_limit(heard.whole(), limit_s, overlong)
            return
        with closing(heard.frames()) as frames:
            yield from _until_limit(frames, limit_s, overlong)

    def close(self) -> None:
        """Release weights and caches."""
        self._assembled = None

    def weights(self) -> tuple[Weights, ...]:
        """Origins of the five parts."""
        return self._ready().loaded.weights

    def work(self, speech_s: float) -> tuple[Work, ...]:
        """The least work of the first packet, for the roofline; `inf` units are those of the longest canned reply.

        With blocks it is the work after the end of speech. It is known before `load`, too: weights are not read.
        """
        from firstpacket.pipelines.direct.llama_omni.work import UNITS_PER_TOKEN, Remaining, first_packet_work

        config, listening, dtype = self._sizes
        left = Remaining.of(config, listening, speech_s)
        units = parse_chunk_units(self.settings.text("chunk-units")) or UNITS_PER_TOKEN * LONGEST_CANNED_REPLY
        return first_packet_work(config, left, units, dtype.itemsize)

    @cached_property
    def _sizes(self) -> tuple[OmniConfig, Listening, torch.dtype]:
        from firstpacket.pipelines.direct.llama_omni.loading import sizes

        return sizes(self.settings)

    def facts(self) -> Mapping[str, OptionValue]:
        """Sizes, and notes of the loader."""
        ready = self._ready()
        facts: dict[str, OptionValue] = {
            "prompt_tokens": ready.assistant.prompt_tokens,
            "cache_mib": round(ready.assistant.cache_bytes / 2**20, 1),
            "unused_tensors": _grouped(ready.loaded.unused),
            **ready.assistant.facts(),
        }
        if ready.loaded.notices:
            facts["weights_notice"] = " ".join(ready.loaded.notices)
        return facts

    def _ready(self) -> Assembled:
        if self._assembled is None:
            raise RuntimeError("call load() first")
        return self._assembled


def _with_default_block(option: Option) -> Option:
    return replace(option, default=blocks.DEFAULT) if option.name == "encoder-block" else option


def _check(settings: Settings) -> None:
    """Raises `UsageError` for invalid combinations of options."""
    parse_chunk_units(settings.text("chunk-units"))
    _check_block(settings.text("encoder-context"), settings.text("encoder-block"))
    ranges = {
        "max-new-tokens": (settings.whole("max-new-tokens") >= 1, "1 or more"),
        "temperature": (settings.number("temperature") >= 0.0, "0 or more"),
        "top-p": (0.0 < settings.number("top-p") <= 1.0, "above 0 and at most 1"),
    }
    for name, (holds, allowed) in ranges.items():
        if not holds:
            raise UsageError(f"{name} is {settings.options[name]}, but it must be {allowed}.")
    weights, size = settings.text("weights"), settings.text("size")
    if weights != kinds.DUMMY and size != "tiny":
        raise UsageError(f"size is '{size}', but only dummy weights come in several sizes. Remove size or weights.")
    for part in ("encoder", "vocoder"):
        if weights in (kinds.DEMO, kinds.DUMMY) and settings.text(part):
            raise UsageError(
                f"{part} names files, but {weights} weights have their own. Remove {part}, or set weights."
            )
    for name in ("compile", "overlap"):
        if settings.switch(name) and not settings.device.startswith("cuda"):
            raise UsageError(f"{name} has no effect on {settings.device}. Remove it, or run with --device cuda.")
    if settings.switch("compile") and not settings.switch("cuda-graphs"):
        raise UsageError("compile needs cuda-graphs. Remove compile, or leave cuda-graphs on.")
    if settings.dtype not in DTYPES:
        raise UsageError(f"dtype is '{settings.dtype}', but the direct pipeline runs in {', '.join(DTYPES)}.")


def _check_block(context: str, block: str) -> None:
    if context == STREAMING:
        blocks.parse_block(block)
    elif block:
        raise UsageError(
            f"encoder-block is '{block}', but encoder-context={context} has no blocks. Remove encoder-block, or set "
            f"encoder-context={STREAMING}."
        )


def _grouped(names: Sequence[str]) -> str:
    """Tensor names by the part they belong to: `decoder.* (167), model.speech_encoder.* (487)`."""
    parts = Counter(re.sub(r"^((?:model\.)?[^.]+)\..*", r"\1.*", name) for name in names)
    return ", ".join(f"{part} ({count})" for part, count in sorted(parts.items())) or "none"


def _within_limit(samples: Samples, heard_s: float, overlong: str) -> Samples:
    limit = round(heard_s * SAMPLE_RATE)
    if len(samples) <= limit or overlong == "cut":
        return samples[:limit]
    raise _overlong(f"lasts {len(samples) / SAMPLE_RATE:.1f} s", heard_s)


def _until_limit(frames: Iterator[Samples], heard_s: float, overlong: str) -> Iterator[Samples]:
    """Frames as they arrive, until the encoder has heard as much as it can; with `cut` those after that are dropped."""
    left = round(heard_s * SAMPLE_RATE)
    for frame in frames:
        if len(frame) > left and overlong == "error":
            raise _overlong(f"lasts over {heard_s:g} s", heard_s)
        if left:
            yield frame[:left]
        left = max(0, left - len(frame))


def _overlong(how_long: str, heard_s: float) -> CorpusError:
    return CorpusError(
        f"The recording {how_long}, but the speech encoder takes {heard_s:g} s and would drop the rest. Remove it from "
        "the corpus, or set overlong=cut to truncate it."
    )
