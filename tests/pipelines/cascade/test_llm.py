"""The engine transformers with dummy weights, and how tokens become text."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstpacket.bench.errors import UsageError, WeightsError
from firstpacket.bench.pipeline import Settings
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.llm.transformers import TransformersLM

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from firstpacket.pipelines.cascade.llm import decoding, dummy  # noqa: E402 (needs torch)
from firstpacket.pipelines.direct.llama_omni import dummy as direct_dummy  # noqa: E402
from firstpacket.pipelines.models import dummy_llama, memory_budget  # noqa: E402
from firstpacket.pipelines.models.dummy_text import REPLIES  # noqa: E402
from firstpacket.pipelines.models.llama import Llama  # noqa: E402
from firstpacket.pipelines.models.sampling import Sampler, Sampling  # noqa: E402


def engine(seed: int = 0, dtype: str = "float32", device: str = "cpu", **changed: Any) -> TransformersLM:
    options = {option.name: option.default for option in TransformersLM.declaration.options}
    given = {"llm-weights": "dummy"} | {name.replace("_", "-"): value for name, value in changed.items()}
    assert given.keys() <= options.keys()
    return TransformersLM(Settings(device=device, seed=seed, dtype=dtype, options={**options, **given}))


def loaded(**changed: Any) -> TransformersLM:
    made = engine(**changed)
    made.load()
    return made


def reply(model: TransformersLM, text: str) -> list[str]:
    return list(model.reply(text, Trace(MonotonicClock())))


@pytest.fixture(scope="module")
def model() -> TransformersLM:
    return loaded()


@pytest.fixture(scope="module")
def library() -> TransformersLM:
    return loaded(llm_decoder="transformers")


def test_the_dummy_does_the_same_work_for_all(model: TransformersLM) -> None:
    answers = [reply(model, text) for text in ("hi", "What is the capital of France?", "hi")]
    assert answers[0] == answers[1] == answers[2]
    assert "".join(answers[0]) == REPLIES[0]


def test_the_seed_chooses_the_reply() -> None:
    assert "".join(reply(loaded(seed=2), "hi")) == REPLIES[2]


def test_the_dummy_weights_are_those_of_the_seed() -> None:
    def head(seed: int) -> Any:
        return dummy_llama.build(dummy_llama.SIZES["tiny"], seed, torch.device("cpu"), torch.float32).lm_head.weight

    assert torch.equal(head(0), head(0))
    assert not torch.equal(head(0), head(1))


@pytest.mark.parametrize("size", ["tiny", "1b", "8b"])
def test_both_architectures_dummies_think_in_the_same_sizes(size: str) -> None:
    assert direct_dummy.config(size).llm == dummy_llama.SIZES[size]


@pytest.fixture
def widths(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many positions every pass through the own decoder's layers took in."""
    seen: list[int] = []
    whole = Llama.forward

    def counted(self: Llama, embeds: Any, cache: Any) -> Any:
        seen.append(embeds.shape[0])
        return whole(self, embeds, cache)

    monkeypatch.setattr(Llama, "forward", counted)
    yield seen


def test_the_whole_arithmetic_is_done_before_the_override(model: TransformersLM, widths: list[int]) -> None:
    """And of the prompt, what every prompt begins with is taken in at loading."""
    conversation = model._ready().writer.conversation
    tokens = len(dummy.tokenizer()(REPLIES[0], add_special_tokens=False).input_ids)
    reply(model, "hi")
    assert widths == [len(conversation.prompt("hi")) - len(conversation.head), *[1] * tokens]
    assert len(conversation.head) > 0.7 * len(conversation.prompt("hi"))


def test_a_token_is_chosen_before_it_is_overridden(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []
    whole = Sampler.token

    def counted(self: Sampler, logits: Any, step: int) -> Any:
        seen.append((*logits.shape, step))
        return whole(self, logits, step)

    monkeypatch.setattr(Sampler, "token", counted)
    choices = dummy_llama.CannedText(Sampling(), torch.device("cpu"), [7, 8, 9])
    assert [int(choices.token(torch.randn(1, 30), step)) for step in range(3)] == [7, 8, 9]
    assert seen == [(1, 30, 0), (1, 30, 1), (1, 30, 2)]


def test_a_reply_is_cut_at_the_longest(widths: list[int]) -> None:
    pieces = reply(loaded(llm_max_tokens=5), "hi")
    assert REPLIES[0].startswith("".join(pieces))
    assert len(pieces) == 6  # five tokens, and the flush
    assert len(widths) == 5, "no step is made whose token nobody asks for"


def test_the_prompt_is_in_the_conversation_format(model: TransformersLM) -> None:
    ids = model._ready().writer.conversation.prompt("  How are you? ")
    text = dummy.tokenizer().decode(ids)
    assert text.startswith("<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nYou are")
    assert text.endswith("\n\nHow are you?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n")


def test_weights_and_facts(model: TransformersLM) -> None:
    (weights,) = model.weights()
    assert (weights.part, weights.origin, weights.source) == ("llm", "dummy", "seed 0, size tiny")
    facts = model.facts()
    assert facts["llm_parameters"] == 4_999_424
    assert facts["llm_decoder"] == "own"
    # keys and values of 4 layers with 2 heads of 64 channels, 4 bytes each
    assert facts["llm_cache"] == f"static, 1024 positions, {2 * 4 * 1024 * 2 * 64 * 4 / 2**20:.1f} MiB"
    assert facts["llm_prompt_head_tokens"] == len(model._ready().writer.conversation.head)


def test_the_dummy_also_runs_in_transformers(library: TransformersLM, model: TransformersLM) -> None:
    assert library.facts()["llm_decoder"] == "transformers"
    assert library.facts()["llm_cache"] == "static, 1024 positions"
    assert reply(library, "hi") == reply(model, "hi")
    ids = model._ready().writer.conversation.prompt("What is the capital of France?")
    with torch.inference_mode():
        ours, theirs = (made._ready().writer.decoder.prefill(ids) for made in (model, library))
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)


def test_1b_through_transformers_has_its_output_matrix_tied() -> None:
    from firstpacket.pipelines.cascade.llm.hf_causal import from_llama

    small = dummy_llama.LlamaConfig(64, 1, 4, 2, 16, 96, 300, tied=True)
    model = from_llama(dummy_llama.build(small, 0, torch.device("cpu"), torch.float32))
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert not any(parameter.is_meta for parameter in model.parameters())


@given(st.text(max_size=40))
@settings(max_examples=60)
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


def test_bfloat16_runs() -> None:
    assert "".join(reply(loaded(dtype="bfloat16"), "hi")) == REPLIES[0]


def test_a_text_longer_than_the_cache_fails_that_turn_alone(model: TransformersLM) -> None:
    with pytest.raises(UsageError, match=r"1024 positions leave room for 896\. Increase llm-context"):
        reply(model, "word " * 900)
    assert "".join(reply(model, "hi")) == REPLIES[0]


def test_a_model_that_does_not_fit_is_refused_before_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_budget, "free_bytes", lambda _: 10_000_000_000)
    with pytest.raises(WeightsError, match=r"about 35\.6 GB are needed \(weights 32\.1 GB.*smaller llm-size"):
        engine(llm_size="8b").load()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"llm_weights": "published"}, "llm-model=FOLDER"),
        ({"dtype": "int3"}, "dtype is 'int3'"),
        ({"llm_max_tokens": 0}, "llm-max-tokens is 0, but it must be 1 or more"),
        ({"llm_min_tokens": 200}, r"llm-min-tokens is 200, but it must be 0 or more, and at most llm-max-tokens \(128"),
        ({"llm_min_tokens": 2}, "no effect with dummy weights"),
        ({"llm_temperature": -1.0}, "llm-temperature is -1.0"),
        ({"llm_top_p": 0.0}, "llm-top-p is 0.0, but it must be above 0"),
        ({"llm_size": "1b", "llm_model": "x/y"}, "only dummy weights come in several sizes"),
        ({"llm_compile": True}, "llm-compile has no effect on cpu"),
        ({"llm_compile": True, "llm_cuda_graphs": False, "device": "cuda"}, "llm-compile needs llm-cuda-graphs"),
        ({"llm_context": 100}, r"take \d+\. Increase llm-context"),
    ],
)
def test_options_that_no_model_could_follow(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        engine(**changed).load()
