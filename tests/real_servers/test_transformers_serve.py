"""`transformers serve` transcribes and answers with this project's models."""

from __future__ import annotations

import io
import json
import wave

import pytest
from real_servers.clip import is_recognised, samples

from firstpacket.pipelines.tools.weights.export import export

httpx2 = pytest.importorskip("httpx2")

pytestmark = pytest.mark.real_server
LOADING_S = 60.0


def wav() -> bytes:
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(samples().tobytes())
    return written.getvalue()


def test_it_transcribes_a_clip(transformers_server: str) -> None:
    (model,) = export("transformers-whisper", None)
    asked = {"data": {"model": str(model)}, "files": {"file": ("clip.wav", wav())}}
    whole = httpx2.post(f"{transformers_server}/audio/transcriptions", timeout=LOADING_S, **asked)
    text = whole.raise_for_status().json()["text"]
    assert is_recognised(text), text


def test_it_answers_a_question(transformers_server: str) -> None:
    (model,) = export("llama", None)
    asked = {"model": str(model), "max_tokens": 8, "messages": [{"role": "user", "content": "What time is it?"}]}
    answer = httpx2.post(f"{transformers_server}/chat/completions", timeout=LOADING_S, json={**asked, "stream": True})
    lines = [line.removeprefix("data: ") for line in answer.raise_for_status().text.splitlines() if line]
    choices = [json.loads(line)["choices"][0] for line in lines]
    assert "".join(choice["delta"].get("content") or "" for choice in choices).strip(), "it says something"
    assert choices[-1]["finish_reason"] == "length", "this, not [DONE], is its last line"
