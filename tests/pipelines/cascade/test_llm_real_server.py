"""The engine openai against `transformers serve`, a real server, which gives the same text as our own decoder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import transformers_serve

from firstpacket.bench.pipeline import Settings
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.engines import LLM
from firstpacket.pipelines.cascade.llm.openai import OpenAIServer
from firstpacket.pipelines.cascade.llm.transformers import TransformersLM
from firstpacket.pipelines.remote.problems import ServerError

if lacking := transformers_serve.missing():
    pytest.skip(f"{', '.join(lacking)} not installed", allow_module_level=True)

from support import llm_folders

TEXTS = ("hello", "What is the capital of France?", "Tell me a story, please.")


@dataclass(frozen=True)
class Serving:
    """A server, and the folder that it serves."""

    folder: Path
    url: str


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = llm_folders.write(tmp_path_factory.mktemp("served"), llm_folders.llama())
    with transformers_serve.serving(folder) as url:
        yield Serving(folder, url)


def loaded(kind: type[LLM], **changed: Any) -> LLM:
    options = {option.name: option.default for option in kind.declaration.options}
    given = {name.replace("_", "-"): value for name, value in changed.items()}
    made = kind(Settings(options={**options, "llm-max-tokens": 12, **given}))
    made.load()
    return made


def test_the_server_gives_the_same_text_as_our_decoder(serving: Serving) -> None:
    asked = loaded(OpenAIServer, llm_url=serving.url, llm_model=str(serving.folder))
    own = loaded(TransformersLM, llm_model=str(serving.folder), llm_context=512)
    said = []
    for text in TEXTS:
        trace = Trace(MonotonicClock())
        pieces = list(asked.reply(text, trace))
        seen = trace.finish()
        said.append("".join(pieces))
        ours = "".join(own.reply(text, Trace(MonotonicClock())))
        assert said[-1] == ours.rstrip("\ufffd"), "the server keeps half a character at the end to itself"
        assert len(pieces) > 5, "it is streamed"
        assert [mark.name for mark in seen.marks] == ["llm.first_byte", "llm.first_token", "llm.first_answer_token"]
        prompt = len(own._ready().writer.conversation.prompt(text))  # type: ignore[attr-defined]
        assert seen.usage is not None and (seen.usage.prompt_tokens, seen.usage.reply_tokens) == (prompt, 12)
    assert len(set(said)) == len(TEXTS)
    asked.close()


def test_its_refusal_is_reported(serving: Serving) -> None:
    with pytest.raises(ServerError, match=r"it answered 400: Server is pinned to .*; requested 'other'"):
        loaded(OpenAIServer, llm_url=serving.url, llm_model="other")
