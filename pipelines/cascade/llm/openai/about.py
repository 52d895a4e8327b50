"""What a server says of itself, where the kind of server is known: version, limits, and its prefix cache.

Read at loading only. Everything is optional, limited in size and time, and cannot fail a run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from firstpacket.bench.pipeline import OptionValue
from firstpacket.bench.sanitize import clean
from firstpacket.pipelines.remote.problems import ServerError, short

Facts = dict[str, OptionValue]
Get = Callable[[str], str]
"""The text at a path of the server, outside its API. Raises `ServerError`."""

METRICS = "/metrics"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of server: how it is recognised, and where it says what."""

    name: str
    owner: str
    """Who owns its models, by its own listing."""
    path: str
    fields: Mapping[str, str]
    """Facts by their place in the JSON at `path`. The first one is there in every version, and recognises the kind."""


KINDS = (
    Kind(
        "SGLang",
        "sglang",
        "/get_server_info",
        {
            "version": "llm_server_version",
            "model_path": "llm_served_model",
            "context_length": "llm_context",
            "dtype": "llm_dtype",
            "quantization": "llm_quantization",
            "kv_cache_dtype": "llm_cache_dtype",
            "tp_size": "llm_tensor_parallel",
            "max_running_requests": "llm_max_requests",
            "chunked_prefill_size": "llm_chunked_prefill",
            "attention_backend": "llm_attention",
            "speculative_algorithm": "llm_speculative",
            "disable_radix_cache": "llm_prefix_cache_off",
        },
    ),
    Kind(
        "llama.cpp",
        "llamacpp",
        "/props",
        {
            "build_info": "llm_server_version",
            "model_path": "llm_served_model",
            "default_generation_settings.n_ctx": "llm_context",
            "total_slots": "llm_max_requests",
        },
    ),
    Kind(
        "TGI",
        "huggingface",
        "/info",
        {
            "model_id": "llm_served_model",
            "version": "llm_server_version",
            "model_dtype": "llm_dtype",
            "max_total_tokens": "llm_context",
        },
    ),
    Kind("vLLM", "vllm", "/version", {"version": "llm_server_version"}),
    Kind("Ollama", "library", "/api/version", {"version": "llm_server_version"}),
)
LISTED = {"root": "llm_served_model", "max_model_len": "llm_context", "context_length": "llm_context"}
"""Facts in a server's listing of its models."""

CACHE_SETTINGS = {
    "enable_prefix_caching": "llm_prefix_cache",
    "block_size": "llm_cache_block",
    "cache_dtype": "llm_cache_dtype",
}
"""Labels of vLLM's metric `vllm:cache_config_info`."""
COUNTERS = {
    "vllm:prefix_cache_queries_total": "llm_prefix_cache_queries",
    "vllm:prefix_cache_hits_total": "llm_prefix_cache_hits",
    "sglang:prompt_tokens_total": "llm_prefix_cache_queries",
    "sglang:cached_tokens_total": "llm_prefix_cache_hits",
    "llamacpp:prompt_tokens_total": "llm_prompt_tokens",
}
"""Counters since the server's start, in tokens: whether its cache was in use before the run."""
_SAMPLE = re.compile(r"^([A-Za-z_:][\w:]*)(?:\{(.*)\})? +([0-9.eE+-]+)(?: [0-9]+)?$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


def about(listed: Mapping[str, Any], get: Get, recognise: bool) -> Facts:
    """Facts of a server, from its entry for the model in its listing, and from what it says elsewhere.

    Unless the listing names the kind of server, others than those on this machine are not asked (`recognise`): paths of
    a provider's address mean something else.
    """
    facts = _picked(listed, LISTED)
    owner = str(listed.get("owned_by", "")).lower()
    kinds = [kind for kind in KINDS if kind.owner == owner] or (list(KINDS) if recognise else [])
    for kind in kinds:
        with suppress(ServerError, ValueError, RecursionError):
            found = json.loads(get(kind.path))
            if isinstance(found, dict) and _picked(found, dict([next(iter(kind.fields.items()))])):
                facts |= {"llm_server": kind.name, **_picked(found, kind.fields)}
                break
    if "llm_server" in facts:
        with suppress(ServerError):
            facts |= _counted(get(METRICS))
    return facts


def _picked(said: Mapping[str, Any], fields: Mapping[str, str]) -> Facts:
    found = ((fact, _value(_at(said, place))) for place, fact in fields.items())
    return {fact: value for fact, value in found if value is not None}


def _at(said: Any, place: str) -> Any:
    for name in place.split("."):
        said = said.get(name) if isinstance(said, dict) else None
    return said


def _value(found: Any) -> OptionValue | None:
    if isinstance(found, str):
        return clean(short(found)) or None
    return found if isinstance(found, (bool, int, float)) else None


def _counted(metrics: str) -> Facts:
    """Facts in metrics of Prometheus' text format; counters of several engines are added up."""
    facts: Facts = {}
    for name, labels, value in _SAMPLE.findall(metrics):
        if name == "vllm:cache_config_info":
            facts |= _picked(dict(_LABEL.findall(labels)), CACHE_SETTINGS)
        elif name in COUNTERS:
            with suppress(ValueError, OverflowError):
                facts[COUNTERS[name]] = int(facts.get(COUNTERS[name], 0)) + int(float(value))
    return facts
