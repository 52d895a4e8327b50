"""From a system's settings to an assistant that can answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch

from firstpacket.bench.errors import UsageError
from firstpacket.bench.pipeline import Settings
from firstpacket.pipelines.direct.llama_omni import dummy, files
from firstpacket.pipelines.direct.llama_omni.block_encoder import check_blocks
from firstpacket.pipelines.direct.llama_omni.blocks import parse_block
from firstpacket.pipelines.direct.llama_omni.checkpoint import Checkpoint
from firstpacket.pipelines.direct.llama_omni.chunking import parse_chunk_units
from firstpacket.pipelines.direct.llama_omni.config import EncoderContext, OmniConfig
from firstpacket.pipelines.direct.llama_omni.cuda_graphs import Launching
from firstpacket.pipelines.direct.llama_omni.encoder import EncoderCache
from firstpacket.pipelines.direct.llama_omni.files import Files
from firstpacket.pipelines.direct.llama_omni.model import LlamaOmni, Loaded, parameters
from firstpacket.pipelines.direct.llama_omni.prompt import (
    SPEECH_TOKEN,
    STREAMING_TEMPLATE,
    TEMPLATE,
    Prompt,
    prompt_ids,
)
from firstpacket.pipelines.direct.llama_omni.sampling import Choices, Sampling
from firstpacket.pipelines.direct.llama_omni.streaming import Assistant, Plan
from firstpacket.pipelines.direct.llama_omni.work import Listening
from firstpacket.pipelines.models.chat import TextTokenizer
from firstpacket.pipelines.models.device import device_of
from firstpacket.pipelines.models.dummy_text import learnt_tokenizer
from firstpacket.pipelines.models.memory_budget import MemoryBudget
from firstpacket.pipelines.models.tensors import Uninitialised
from firstpacket.pipelines.weights import kinds

SMALLER = "--dtype bfloat16 (half of float32), a smaller max-new-tokens, and for the vocoder a smaller chunk-units"


@dataclass(frozen=True, slots=True)
class Assembled:
    """Everything `load` makes."""

    loaded: Loaded
    tokenizer: TextTokenizer
    assistant: Assistant
    room: MemoryBudget


@dataclass(frozen=True, slots=True)
class Source:
    """Available weights: what is known of them before they take any memory."""

    config: OmniConfig
    tokenizer: TextTokenizer
    load: Callable[[], Loaded]
    choices: Callable[[LlamaOmni], Choices]
    smaller: str
    """What a user can change if they do not fit."""


def assemble(settings: Settings) -> Assembled:
    """Load or make the weights and reserve the caches. Raises `WeightsError`, `UsageError` or `MissingDependency`."""
    device, dtype = device_of(settings.device), getattr(torch, settings.dtype)
    source = _source(settings, device, dtype)
    config, longest = source.config, settings.whole("max-new-tokens")
    context, block = _context(settings), _block(settings)
    streams = context == "streaming"
    ids = _prompt_ids(source, streams)
    if settings.text("weights") != kinds.DUMMY and streams != (config.trained_context == "streaming"):
        raise _untrained(context)
    if streams:
        check_blocks(config, block, len(ids) - 1)
    room = budget_of(config, device, dtype, len(ids) - 1, longest, source.smaller, streams)
    room.require()
    with room.explained("loading"):
        with Uninitialised():
            loaded = source.load()
        loaded.model.vocoder.sound_in(getattr(torch, settings.text("vocoder-dtype")))
        plan = Plan(
            prompt=Prompt(ids, device),
            choices=source.choices(loaded.model),
            eos=frozenset(config.eos),
            max_new_tokens=longest,
            chunk_units=parse_chunk_units(settings.text("chunk-units")),
            encoder_context=context,
            block=block,
            launching=Launching(settings.switch("cuda-graphs"), settings.switch("compile"), settings.switch("overlap")),
        )
        return Assembled(loaded, source.tokenizer, Assistant(loaded.model, plan), room)


def sizes(settings: Settings) -> tuple[OmniConfig, Listening, torch.dtype]:
    """Sizes, what is taken in, and precision, without reading weights. Raises as `assemble` does."""
    dtype = getattr(torch, settings.dtype)
    source, context = _source(settings, device_of(settings.device), dtype), _context(settings)
    ids = _prompt_ids(source, context == "streaming")
    listening = Listening(context, _block(settings), head=ids.index(SPEECH_TOKEN), text=len(ids) - 1)
    return source.config, listening, dtype


def _prompt_ids(source: Source, streams: bool) -> list[int]:
    return prompt_ids(source.tokenizer.encode, source.config.bos, STREAMING_TEMPLATE if streams else TEMPLATE)


def _block(settings: Settings) -> int | None:
    """Samples per block; None without blocks."""
    return parse_block(settings.text("encoder-block")) if _context(settings) == "streaming" else None


def _context(settings: Settings) -> EncoderContext:
    """What the encoder is to hear: the option was checked against its choices."""
    return cast(EncoderContext, settings.text("encoder-context"))


def _untrained(context: EncoderContext) -> UsageError:
    if context == "streaming":
        return UsageError(
            "encoder-context is 'streaming', but these weights were not trained to hear speech in blocks "
            "(speech_encoder_context in config.json): answers would mean nothing. Remove the option, or use weights "
            "made for it; weights=dummy measures times."
        )
    return UsageError(
        f"encoder-context is '{context}', but these weights were trained to hear speech in blocks "
        "(speech_encoder_context in config.json). Set encoder-context=streaming."
    )


def _source(settings: Settings, device: torch.device, dtype: torch.dtype) -> Source:
    weights = settings.text("weights")
    if weights == kinds.DUMMY:
        return _dummy(settings, device, dtype)
    if weights == kinds.DEMO:
        return _of_files(files.demo(_context(settings)), settings, device, dtype)
    return _of_files(files.find(weights, settings.text("encoder"), settings.text("vocoder")), settings, device, dtype)


def _dummy(settings: Settings, device: torch.device, dtype: torch.dtype) -> Source:
    size, tokenizer = settings.text("size"), TextTokenizer(learnt_tokenizer())
    longest, sampling = settings.whole("max-new-tokens"), _sampling(settings)
    return Source(
        config=dummy.config(size),
        tokenizer=tokenizer,
        load=lambda: dummy.build(size, settings.seed, device, dtype),
        choices=lambda model: dummy.FixedWork(model, tokenizer, sampling, longest),
        smaller=f"a smaller size ({', '.join(dummy.SIZES)}), {SMALLER}",
    )


def _of_files(found: Files, settings: Settings, device: torch.device, dtype: torch.dtype) -> Source:
    tokenizer = TextTokenizer.from_folder(found.checkpoint)
    checkpoint = Checkpoint(found)
    tokenizer.check(checkpoint.config.bos, checkpoint.config.llm.vocab, found.source)
    return Source(
        config=checkpoint.config,
        tokenizer=tokenizer,
        load=lambda: checkpoint.load(device, dtype),
        choices=lambda _: Choices(_sampling(settings), device),
        smaller=SMALLER,
    )


def _sampling(settings: Settings) -> Sampling:
    return Sampling(settings.number("temperature"), settings.number("top-p"), settings.seed)


def budget_of(
    config: OmniConfig,
    device: torch.device,
    dtype: torch.dtype,
    text: int,
    new: int,
    options: str,
    streams: bool = False,
) -> MemoryBudget:
    """Memory for a model with a prompt of `text` text tokens and replies of up to `new`; no weights are allocated."""
    with Uninitialised():
        model = LlamaOmni.without_weights(config, torch.device("cpu"), dtype)
    speech = config.encoder.positions // config.adaptor.joined
    positions = min(text + speech, config.longest_prompt) + new
    heard = EncoderCache.bytes_of(config.encoder, dtype) if streams else 0
    return MemoryBudget(
        weights=sum(parameters(part) * kind.itemsize for part, kind in model.parts().values()),
        caches=positions * model.text_cache(1).nbytes + new * model.speech_cache(1).nbytes + heard,
        device=device,
        options=options,
    )
