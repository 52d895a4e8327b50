"""Steps with fixed shapes, as a GPU replays them, against the ordinary ones; and the encoder on the speech alone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from firstpacket.bench.pipeline import Samples
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.direct.llama_omni import dummy
from firstpacket.pipelines.direct.llama_omni.config import EncoderContext
from firstpacket.pipelines.direct.llama_omni.cuda_graphs import fixed_steps
from firstpacket.pipelines.direct.llama_omni.listening import WholeListener
from firstpacket.pipelines.direct.llama_omni.prompt import SPEECH_TOKEN, Prompt
from firstpacket.pipelines.direct.llama_omni.sampling import Choices, Sampling
from firstpacket.pipelines.direct.llama_omni.streaming import Assistant, Plan, Turn
from firstpacket.pipelines.models.cuda_graphs import SHORTEST, lengths

CPU = torch.device("cpu")
TOKENS = 24
SPEECH: Samples = np.random.default_rng(1).normal(0, 0.1, 32_000).astype(np.float32)


@pytest.fixture
def assistant() -> Assistant:
    return made("full")


def made(context: EncoderContext, block: int | None = None) -> Assistant:
    """Random weights whose own choices are kept."""
    plan = Plan(
        encoder_context=context,
        block=block,
        prompt=Prompt([3, 4, 5, SPEECH_TOKEN, 6, 7], CPU),
        choices=Choices(Sampling(), CPU),
        eos=frozenset(),
        max_new_tokens=TOKENS,
        chunk_units=10,
    )
    return Assistant(dummy.build("tiny", 0, CPU, torch.float32).model, plan)


def answer(assistant: Assistant) -> tuple[Turn, list[Samples]]:
    turn = assistant.turn(Trace(MonotonicClock()))
    return turn, [packet.samples for packet in turn.packets([SPEECH])]


def assert_same(ours: tuple[Turn, list[Samples]], plain: tuple[Turn, list[Samples]]) -> None:
    assert ours[0].ids == plain[0].ids
    assert ours[0].units_after_token == plain[0].units_after_token
    assert ours[0].chunker.units == plain[0].chunker.units
    assert len(ours[1]) == len(plain[1])
    for mine, theirs in zip(ours[1], plain[1], strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


@pytest.mark.parametrize(("context", "block"), [("full", None), ("streaming", 8000)])
def test_a_turn_of_fixed_steps_is_the_ordinary_turn(context: EncoderContext, block: int | None) -> None:
    """24 tokens make 600 frames: the speech decoder goes through several lengths."""
    assistant = made(context, block)
    plain = answer(assistant)
    first_end = assistant.shortest_prompt + 1
    steps = fixed_steps(assistant.model, assistant.text_cache, assistant.speech_cache, first_end)
    assistant.steps._text, assistant.steps._speech = steps
    assert_same(answer(assistant), plain)
    assert_same(answer(assistant), plain)


def test_launching_ahead_does_not_change_the_answer(assistant: Assistant) -> None:
    plain = answer(assistant)
    assistant.steps.ahead = True
    assert_same(answer(assistant), plain)


@pytest.mark.skipif(torch.cuda.is_available(), reason="here it can be captured")
def test_failed_capture_gives_a_notice_and_falls_back_to_single_launches(assistant: Assistant) -> None:
    plain = answer(assistant)
    assert assistant.steps.notice == ""
    assistant.turn(Trace(MonotonicClock()))
    assistant.steps._record(assistant.prompt_tokens + 1, compiled=False)
    assert assistant.steps.notice.startswith("not captured, launched kernel by kernel: ")
    assert_same(answer(assistant), plain)


@given(first=st.integers(1, 5000), more=st.integers(0, 5000))
def test_lengths_double_and_end_with_the_cache(first: int, more: int) -> None:
    longest = first + more
    several = lengths(first, longest)
    assert several[-1] == longest
    assert list(several) == sorted(set(several))
    assert all(length >= first for length in several)
    for shorter, longer in pairwise(several):
        assert longer <= 2 * shorter
    assert len(several) == 1 or several[0] <= max(SHORTEST, 2 * first)


@pytest.mark.parametrize(("seconds", "embeddings"), [(2.0, 20), (2.01, 21), (0.0, 1), (29.99, 300), (40.0, 300)])
def test_a_trimmed_encoder_input_ends_at_a_whole_embedding(
    assistant: Assistant, seconds: float, embeddings: int
) -> None:
    listener = WholeListener(assistant.model, trimmed=True)
    with torch.inference_mode():
        speech = listener.listen([np.zeros(round(16_000 * seconds), np.float32)], Trace(MonotonicClock()))
    assert speech.shape == (embeddings, 256)


def test_trimmed_prompts_are_shorter_and_still_answered() -> None:
    assistant = made("trimmed")
    turn = assistant.turn(Trace(MonotonicClock()))
    used = [assistant.text_cache.used for _ in turn.packets([SPEECH])]
    assert len(turn.ids) == TOKENS
    assert used[-1] == 5 + 20 + TOKENS - 1
