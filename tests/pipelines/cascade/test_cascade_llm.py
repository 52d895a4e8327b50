from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import UsageError, WeightsError
from bench.pipeline import Settings
from bench.timing.clock import MonotonicClock
from bench.timing.trace import Trace
from pipelines.cascade.llm.transformers import TransformersLM

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from pipelines.cascade.llm import decoding, dummy  # noqa: E402 (needs torch)
from pipelines.models.dummy_text import REPLIES  # noqa: E402


def engine(seed: int = 0, dtype: str = "float32", **changed: Any) -> TransformersLM:
    options = {option.name: option.default for option in TransformersLM.declaration.options}
    return TransformersLM(Settings(seed=seed, dtype=dtype, options={**options, **changed}))


def reply(model: TransformersLM, text: str) -> list[str]:
    return list(model.reply(text, Trace(MonotonicClock())))


@pytest.fixture(scope="module")
def model() -> TransformersLM:
    made = engine()
    made.load()
    return made


def test_the_dummy_does_the_same_work_for_all(model: TransformersLM) -> None:
    answers = [reply(model, text) for text in ("hi", "What is the capital of France?", "hi")]
    assert answers[0] == answers[1] == answers[2]
    assert "".join(answers[0]) == REPLIES[0]


def test_the_seed_chooses_the_reply() -> None:
    made = engine(seed=2)
    made.load()
    assert "".join(reply(made, "hi")) == REPLIES[2]


def test_the_dummy_weights_are_those_of_the_seed(model: TransformersLM) -> None:
    def head(made: TransformersLM) -> Any:
        return made._greedy.model.lm_head.weight

    again, other = engine(), engine(seed=1)
    again.load()
    other.load()
    assert torch.equal(head(model), head(again))
    assert not torch.equal(head(model), head(other))


def test_the_whole_arithmetic_is_done_before_the_override(
    model: TransformersLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    widths = []
    network = model._greedy.model
    whole = type(network).forward

    def counted(self: Any, *given: Any, **named: Any) -> Any:
        widths.append(named["input_ids"].shape[1])
        return whole(self, *given, **named)

    monkeypatch.setattr(type(network), "forward", counted)
    tokens = len(model._greedy.tokenizer(REPLIES[0], add_special_tokens=False).input_ids)
    reply(model, "hi")
    assert widths == [len(model._greedy.prompt_ids("hi")), *[1] * tokens]


def test_a_reply_is_cut_at_the_longest() -> None:
    made = engine(**{"llm-max-tokens": 5})
    made.load()
    pieces = reply(made, "hi")
    assert REPLIES[0].startswith("".join(pieces))
    assert len(pieces) == 6  # five tokens, and the flush


def test_the_prompt_is_in_the_conversation_format(model: TransformersLM) -> None:
    greedy = model._greedy
    text = greedy.tokenizer.decode(greedy.prompt_ids("How are you?"))
    assert text.startswith("<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nYou are")
    assert text.endswith("How are you?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n")


def test_weights_and_facts(model: TransformersLM) -> None:
    (weights,) = model.weights()
    assert (weights.part, weights.origin, weights.source) == ("llm", "dummy", "seed 0, size tiny")
    assert model.facts() == {"llm_parameters": 4_999_424}


@given(st.text(max_size=40))
@settings(max_examples=60, deadline=None)
def test_pieces_join_to_the_text(text: str) -> None:
    words = _tokenizer()

    def decode(ids: list[int]) -> str:
        return str(words.decode(ids, skip_special_tokens=True))

    ids = words(text, add_special_tokens=False).input_ids
    detokeniser = decoding.Detokeniser(decode)
    pieces = [detokeniser.push(token) for token in ids]
    assert "".join([*pieces, detokeniser.flush()]) == decode(ids)
    assert not any("\N{REPLACEMENT CHARACTER}" in piece for piece in pieces if "\N{REPLACEMENT CHARACTER}" not in text)


@cache
def _tokenizer() -> Any:
    return dummy.tokenizer()


def test_a_published_folder_answers_like_generate(tmp_path: Path, model: TransformersLM) -> None:
    source = model._greedy
    source.model.save_pretrained(tmp_path)
    source.tokenizer.save_pretrained(tmp_path)
    made = engine(**{"llm-model": str(tmp_path), "llm-max-tokens": 8})
    made.load()
    assert made.weights()[0].origin == "published"
    prompt = torch.tensor([made._greedy.prompt_ids("hello")])
    wanted = made._greedy.model.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=8, do_sample=False
    )
    text = made._greedy.tokenizer.decode(wanted[0, prompt.shape[1] :], skip_special_tokens=True)
    assert "".join(reply(made, "hello")) == text


def test_bfloat16_runs() -> None:
    made = engine(dtype="bfloat16")
    made.load()
    assert "".join(reply(made, "hi")) == REPLIES[0]


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="There is no folder"):
        engine(**{"llm-model": str(tmp_path / "nothing")}).load()


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be loaded"):
        engine(**{"llm-model": str(tmp_path)}).load()


def test_a_name_that_was_not_fetched() -> None:
    with pytest.raises(WeightsError, match="Nothing is downloaded"):
        engine(**{"llm-model": "someone/no-such-model"}).load()


def test_published_needs_a_model() -> None:
    with pytest.raises(UsageError, match="llm-model=PATH"):
        engine(**{"llm-weights": "published"}).load()


def test_an_unknown_precision() -> None:
    with pytest.raises(UsageError, match="dtype is 'int3'"):
        engine(dtype="int3").load()
