"""From a model with weights to a writer of replies, by one of the two decoders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from firstpacket.bench.errors import UsageError
from firstpacket.bench.pipeline import OptionValue, Settings, Weights
from firstpacket.pipelines.cascade.llm.conversation import PROBES, Conversation
from firstpacket.pipelines.cascade.llm.decoding import Decoder, Writer
from firstpacket.pipelines.models.decoder import Decoder as OwnDecoder
from firstpacket.pipelines.models.llama import Llama
from firstpacket.pipelines.models.memory_budget import MemoryBudget
from firstpacket.pipelines.models.sampling import Sampler, Sampling

SMALLER = "--dtype bfloat16 (half of float32), and a smaller llm-context or llm-max-tokens"


@dataclass(frozen=True, slots=True)
class Loaded:
    """Everything `load` makes."""

    writer: Writer
    weights: Weights
    room: MemoryBudget
    facts: Mapping[str, OptionValue]


@dataclass(frozen=True, slots=True)
class Built:
    """A decoder, and what the record of a run says of it."""

    decoder: Decoder
    facts: Mapping[str, OptionValue]


def sampling(settings: Settings) -> Sampling:
    """How tokens are chosen."""
    return Sampling(settings.number("llm-temperature"), settings.number("llm-top-p"), settings.seed)


def choices(settings: Settings, device: torch.device, ends: frozenset[int]) -> Sampler:
    """Choices of a model that decides for itself."""
    return Sampler(sampling(settings), device, ends, settings.whole("llm-min-tokens"))


def positions(settings: Settings, limit: int, conversation: Conversation) -> int:
    """Length of the cache: `llm-context`, and never more than the model was made for.

    Raises `UsageError` if even a short text and its reply do not fit.
    """
    longest = settings.whole("llm-max-tokens")
    length = min(settings.whole("llm-context"), limit)
    least = max(len(conversation.prompt(probe)) for probe in PROBES) + longest
    if length < least:
        raise UsageError(
            f"The language model's cache would have {length} positions (llm-context {settings.whole('llm-context')}, "
            f"the model's own limit {limit}), but a short prompt and a reply of {longest} tokens take {least}. "
            "Increase llm-context or reduce llm-max-tokens."
        )
    return length


def own(llama: Llama, length: int, conversation: Conversation, settings: Settings) -> Built:
    """The decoder that the direct pipeline's LLM runs on too."""
    decoder = OwnDecoder(
        llama,
        length,
        conversation.head,
        graphs=settings.switch("llm-cuda-graphs"),
        compiled=settings.switch("llm-compile"),
    )
    facts: dict[str, OptionValue] = {
        "llm_decoder": "own",
        "llm_cache": f"static, {length} positions, {decoder.cache_bytes / 2**20:.1f} MiB",
        "llm_prompt_head_tokens": decoder.head_tokens,
        "llm_kernels": decoder.kernels,
    }
    if decoder.notice:
        facts["llm_cuda_graphs"] = decoder.notice
    return Built(decoder, facts)


def through_transformers(
    model: Any, length: int, conversation: Conversation, settings: Settings, reason: str = ""
) -> Built:
    """The forward pass of transformers; `reason` says why not the own decoder, if that was wanted.

    Raises `UsageError` for options that only the own decoder has.
    """
    from firstpacket.pipelines.cascade.llm.hf_causal import HFCausalLM

    if settings.switch("llm-compile"):
        raise UsageError(
            f"llm-compile works with the built-in decoder only, but this model runs through transformers' forward pass"
            f"{f' ({reason})' if reason else ''}. Leave it out."
        )
    decoder = HFCausalLM(model, length, conversation.prompt(PROBES[0]))
    facts: dict[str, OptionValue] = {
        "llm_decoder": "transformers",
        "llm_cache": f"{decoder.cache}, {length} positions",
    }
    if reason:
        facts["llm_decoder_reason"] = reason
    return Built(decoder, facts)
