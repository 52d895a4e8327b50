"""On CUDA replayed graphs of the language model give the same text as kernels launched one by one (`make gpu`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firstpacket.bench.pipeline import Settings
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.llm.transformers import TransformersLM

pytestmark = pytest.mark.cuda
torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

TEXTS = ("hello", "What is the capital of France?", "Tell me a story, please.")


def loaded(folder: Path, **changed: Any) -> TransformersLM:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    options = {option.name: option.default for option in TransformersLM.declaration.options}
    given = {"llm-model": str(folder), "llm-max-tokens": 60, "llm-context": 512}
    given |= {name.replace("_", "-"): value for name, value in changed.items()}
    made = TransformersLM(Settings(device="cuda", options={**options, **given}))
    made.load()
    return made


def replies(model: TransformersLM) -> list[str]:
    return ["".join(model.reply(text, Trace(MonotonicClock()))) for text in (*TEXTS, *TEXTS)]


@pytest.mark.parametrize("changed", [{}, {"llm_compile": True}], ids=["graphs", "graphs of compiled kernels"])
def test_replayed_steps_say_the_same(tmp_path: Path, changed: dict[str, Any]) -> None:
    from support import llm_folders

    folder = llm_folders.write(tmp_path, llm_folders.llama())
    plain = loaded(folder, llm_cuda_graphs=False)
    assert "llm_cuda_graphs" not in plain.facts()
    said = replies(plain)
    assert len(set(said)) == len(TEXTS)
    assert said[: len(TEXTS)] == said[len(TEXTS) :]
    model = loaded(folder, **changed)
    notice = str(model.facts()["llm_cuda_graphs"])
    if changed and "captured, of compiled" not in notice:
        pytest.skip(f"torch.compile does not work here: {notice}")
    assert "graphs captured" in notice
    assert replies(model) == said
    assert replies(loaded(folder, llm_decoder="transformers")) == said
