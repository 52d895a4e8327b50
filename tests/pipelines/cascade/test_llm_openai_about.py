"""What known servers say of themselves is recorded; whatever they say instead is harmless."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from firstpacket.pipelines.cascade.llm.openai.about import about
from firstpacket.pipelines.remote.problems import ServerError

VLLM_METRICS = """\
# HELP vllm:cache_config_info Information of the LLMEngine CacheConfig
vllm:cache_config_info{block_size="128",cache_dtype="auto",enable_prefix_caching="True",engine="0"} 1.0
vllm:prefix_cache_queries_total{engine="0",model_name="m"} 387.0
vllm:prefix_cache_hits_total{engine="0",model_name="m"} 128.0
vllm:prefix_cache_queries_total{engine="1",model_name="m"} 1e2
vllm:prefix_cache_hits_total{engine="1",model_name="m"} NaN
vllm:num_requests_running{engine="0"} 0.0
"""
VLLM = {"/version": {"version": "0.33.0"}, "/metrics": VLLM_METRICS}
SGLANG = {
    "/get_server_info": {
        "version": "0.5.1",
        "model_path": "/models/qwen",
        "dtype": "bfloat16",
        "api_key": "sk-secret",
        "disable_radix_cache": False,
        "tp_size": 2,
    },
}
LLAMA = {
    "/props": {
        "build_info": "b6000-1a2b3c4d",
        "model_path": "/models/llama.gguf",
        "total_slots": 4,
        "default_generation_settings": {"n_ctx": 4096, "params": {"temperature": 0.8}},
        "chat_template": "{{ messages }}",
    },
    "/metrics": "llamacpp:prompt_tokens_total 55\n",
}


class Pages:
    """A server's pages outside of its API."""

    def __init__(self, pages: dict[str, Any]) -> None:
        self.pages = pages
        self.read: list[str] = []

    def __call__(self, path: str) -> str:
        self.read.append(path)
        if path not in self.pages:
            raise ServerError("it answered 404", 404)
        page = self.pages[path]
        return page if isinstance(page, str) else json.dumps(page)


def test_vllm() -> None:
    listed = {"id": "m", "owned_by": "vllm", "root": "meta/llama", "max_model_len": 8192}
    pages = Pages(VLLM)
    assert about(listed, pages, recognise=False) == {
        "llm_server": "vLLM",
        "llm_server_version": "0.33.0",
        "llm_served_model": "meta/llama",
        "llm_context": 8192,
        "llm_prefix_cache": "True",
        "llm_cache_block": "128",
        "llm_cache_dtype": "auto",
        "llm_prefix_cache_queries": 487,
        "llm_prefix_cache_hits": 128,
    }
    assert pages.read == ["/version", "/metrics"]


def test_sglang() -> None:
    facts = about({"owned_by": "sglang"}, Pages(SGLANG), recognise=False)
    assert facts == {
        "llm_server": "SGLang",
        "llm_server_version": "0.5.1",
        "llm_served_model": "/models/qwen",
        "llm_dtype": "bfloat16",
        "llm_tensor_parallel": 2,
        "llm_prefix_cache_off": False,
    }


def test_llama_cpp() -> None:
    assert about({"owned_by": "llamacpp"}, Pages(LLAMA), recognise=False) == {
        "llm_server": "llama.cpp",
        "llm_server_version": "b6000-1a2b3c4d",
        "llm_served_model": "/models/llama.gguf",
        "llm_context": 4096,
        "llm_max_requests": 4,
        "llm_prompt_tokens": 55,
    }


@pytest.mark.parametrize(("pages", "kind"), [(VLLM, "vLLM"), (SGLANG, "SGLang"), (LLAMA, "llama.cpp")])
def test_a_server_nearby_is_recognised_by_what_it_says(pages: dict[str, Any], kind: str) -> None:
    assert about({}, Pages(pages), recognise=True)["llm_server"] == kind


def test_a_provider_is_asked_for_nothing_but_its_models() -> None:
    pages = Pages(VLLM)
    assert about({"id": "m", "owned_by": "openai"}, pages, recognise=False) == {} and pages.read == []


@pytest.mark.parametrize(
    "page",
    [
        "",
        "<html>",
        "[1]",
        "[" * 100_000,
        '{"version": null}',
        '{"version": {"a": 1}}',
        '{"build_info": [], "model_id": {}}',
    ],
)
def test_pages_that_say_something_else_are_harmless(page: str) -> None:
    def same(_: str) -> str:
        return page

    assert about({"root": ["x"], "max_model_len": {}}, same, recognise=True) == {}


def test_texts_are_short_and_clean() -> None:
    get: Callable[[str], str] = Pages({"/version": {"version": "1\x1b[31m" + "x" * 5000}})
    version = about({"owned_by": "vllm"}, get, recognise=False)["llm_server_version"]
    assert isinstance(version, str) and len(version) < 400 and "\x1b" not in version
