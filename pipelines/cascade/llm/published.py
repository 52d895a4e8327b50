"""Published language models: a folder in the layout of the Hugging Face hub, or the name of one already downloaded."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from firstpacket.bench.errors import UsageError, WeightsError
from firstpacket.bench.pipeline import OptionValue, Settings, Weights
from firstpacket.pipelines.cascade.engines import cause
from firstpacket.pipelines.cascade.llm import factory, folder
from firstpacket.pipelines.cascade.llm.conversation import Conversation
from firstpacket.pipelines.cascade.llm.decoding import Writer
from firstpacket.pipelines.cascade.llm.factory import Built, Loaded
from firstpacket.pipelines.cascade.llm.options import SYSTEM
from firstpacket.pipelines.models import llama_files
from firstpacket.pipelines.models.device import device_of
from firstpacket.pipelines.models.fields import Fields
from firstpacket.pipelines.models.hub import Folder
from firstpacket.pipelines.models.llama_config import LlamaConfig
from firstpacket.pipelines.models.memory_budget import MemoryBudget
from firstpacket.pipelines.models.tensors import SafetensorsFolder, listed, read_json
from firstpacket.pipelines.weights.kinds import Origin

LONGEST = 1 << 20
"""Positions of a model that states no limit."""


@dataclass(frozen=True, slots=True)
class Source:
    """A model that could be read: what is known of it before its weights take any memory."""

    path: Path
    conversation: Conversation
    length: int
    device: torch.device
    dtype: torch.dtype
    settings: Settings


@dataclass(frozen=True, slots=True)
class Read:
    """A decoder with its weights, and the tensors in the folder that it has no place for."""

    built: Built
    unused: tuple[str, ...]


def load(settings: Settings) -> Loaded:
    """Read model and tokenizer to the device.

    Raises `WeightsError` when they are not there, do not belong together or do not fit, or `UsageError`.
    """
    return _load(folder.find(settings.text("llm-model")), "published", settings)


def load_demo(settings: Settings) -> Loaded:
    """The same with the demo weights. Raises `WeightsError` or `UsageError`."""
    from firstpacket.pipelines.weights.layouts import exported

    found = exported("llama")
    return _load(Folder(found.path, found.source), "demo", settings)


def _load(found: Folder, origin: Origin, settings: Settings) -> Loaded:
    fields = folder.configuration(found.path)
    config, reason = plain_llama(fields, settings.text("llm-decoder"))
    tokenizer = _tokenizer(found.path, origin)
    conversation = Conversation(tokenizer, SYSTEM, found.source)
    ends = _ends(found.path, fields, tokenizer)
    text = fields if fields.json.get("text_config") is None else fields.inner("text_config")
    conversation.check(text.whole("vocab_size"), ends)
    folder.check_layers(text, len(SafetensorsFolder(found.path).names()))
    length = factory.positions(settings, text.whole("max_position_embeddings", LONGEST), conversation)
    source = Source(
        found.path, conversation, length, device_of(settings.device), getattr(torch, settings.dtype), settings
    )
    room = _room(source, config)
    room.require()
    with room.explained("loading"):
        read = _own(source, config) if config is not None else _through_transformers(source, reason)
    values = room.weights // source.dtype.itemsize
    facts: dict[str, OptionValue] = {
        "llm_parameters": values,
        **read.built.facts,
        "llm_unused_tensors": listed(read.unused) if read.unused else "none",
    }
    choices = factory.choices(settings, source.device, ends)
    return Loaded(
        Writer(read.built.decoder, conversation, choices, ends, settings.whole("llm-max-tokens")),
        Weights("llm", origin, found.source, "Llama" if config is not None else "", values),
        room,
        facts,
    )


def plain_llama(fields: Fields, asked: str) -> tuple[LlamaConfig | None, str]:
    """Sizes for the own decoder; or None, and why the model goes through transformers.

    `asked` is the option llm-decoder. Raises `UsageError` if the own decoder is asked for what it cannot do.
    """
    if asked == "transformers":
        return None, ""
    try:
        return llama_files.parsed(fields), ""
    except WeightsError as error:
        if asked == "own":
            raise UsageError(
                f"llm-decoder=own works only with plain Llamas, which this model is not: {error} Remove llm-decoder."
            ) from error
        return None, cause(error)


def _room(source: Source, config: LlamaConfig | None) -> MemoryBudget:
    if config is not None:
        return llama_files.budget_of(config, source.length, source.device, source.dtype, factory.SMALLER)
    tensors = SafetensorsFolder(source.path)
    values = sum(math.prod(tensors.shape(name)) for name in tensors.names())
    return MemoryBudget(values * source.dtype.itemsize, 0, source.device, factory.SMALLER)


def _own(source: Source, config: LlamaConfig) -> Read:
    llama, unused = llama_files.read(source.path, config, source.device, source.dtype)
    return Read(factory.own(llama, source.length, source.conversation, source.settings), unused)


def _through_transformers(source: Source, reason: str) -> Read:
    """Load through transformers, which initialises missing tensors itself and only logs that."""
    from transformers import AutoModelForCausalLM

    try:
        model, told = AutoModelForCausalLM.from_pretrained(
            source.path,
            dtype=source.dtype,
            attn_implementation="sdpa",
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # a configuration may go wrong anywhere in the library
        raise _unreadable(source.path, error) from error
    missing = told["missing_keys"] or told["mismatched_keys"]
    if missing:
        names = listed(name if isinstance(name, str) else name[0] for name in missing)
        raise WeightsError(f"{source.path} lacks {names}. The files are incomplete or belong to another model.")
    placed: Any = model.to(source.device).eval().requires_grad_(False)
    built = factory.through_transformers(placed, source.length, source.conversation, source.settings, reason)
    return Read(built, tuple(sorted(told["unexpected_keys"])))


def _tokenizer(path: Path, origin: Origin) -> Any:
    if origin == "demo":  # its class is known, and the library that finds classes takes seconds to import
        from transformers import PreTrainedTokenizerFast as Tokenizer
    else:
        from transformers import AutoTokenizer as Tokenizer

    try:
        return Tokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # the libraries beneath raise bare Exception for a file they cannot parse
        raise _unreadable(path, error) from error


def _ends(path: Path, fields: Fields, tokenizer: Any) -> frozenset[int]:
    """Every id that ends a reply, by the generation settings and by the tokenizer."""
    settings = path / "generation_config.json"
    generation = Fields(read_json(settings) if settings.is_file() else {}, str(settings))
    stated = next((one for one in (generation, fields) if one.json.get("eos_token_id") is not None), None)
    configured = stated.wholes("eos_token_id", least=0) if stated else ()
    own = tokenizer.eos_token_id
    return frozenset(configured if own is None else (*configured, own))


def _unreadable(path: Path, error: Exception) -> WeightsError:
    return WeightsError(f"Cannot load the language model in {path}: {cause(error)} Download its files again.")
