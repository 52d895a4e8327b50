"""Turns whose speech is taken in by blocks: the same answer as from the masked whole, whatever the frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from support.block_encoder import defined_embeddings, defined_mel
from support.frames import in_frames
from torch import Tensor

from firstpacket.bench.pipeline import Samples
from firstpacket.bench.timing.cancellation import TurnCancelled
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.direct.llama_omni import dummy
from firstpacket.pipelines.direct.llama_omni.model import LlamaOmni
from firstpacket.pipelines.direct.llama_omni.prompt import SPEECH_TOKEN, Prompt
from firstpacket.pipelines.direct.llama_omni.sampling import Choices, Sampling
from firstpacket.pipelines.direct.llama_omni.streaming import Assistant, Plan, Turn

CPU = torch.device("cpu")
MS = 16
"""Samples."""
TOKENS = 12
HEAD, TAIL = (3, 4, 5), (6, 7)
SPEECH: Samples = np.random.default_rng(1).normal(0, 0.1, 2345 * MS + 7).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> LlamaOmni:
    """Random weights whose own choices are kept."""
    return dummy.build("tiny", 0, CPU, torch.float32).model


@pytest.fixture(scope="module")
def plain() -> LlamaOmni:
    """The same weights, which no assistant has laid out anew."""
    return dummy.build("tiny", 0, CPU, torch.float32).model


Make = Callable[[int | None], Assistant]


@pytest.fixture(scope="module")
def streaming(model: LlamaOmni) -> Make:
    """An assistant for blocks of so many samples, made once for each length."""
    made: dict[int | None, Assistant] = {}

    def make(block: int | None) -> Assistant:
        if block not in made:
            plan = Plan(
                prompt=Prompt([*HEAD, SPEECH_TOKEN, *TAIL], CPU),
                choices=Choices(Sampling(), CPU),
                eos=frozenset(),
                max_new_tokens=TOKENS,
                chunk_units=10,
                encoder_context="streaming",
                block=block,
            )
            made[block] = Assistant(model, plan)
        return made[block]

    return make


def answer(assistant: Assistant, frames: Iterable[Samples]) -> tuple[Turn, Samples]:
    turn = assistant.turn(Trace(MonotonicClock()))
    return turn, np.concatenate([packet.samples for packet in turn.packets(frames)])


def assert_same(ours: tuple[Turn, Samples], theirs: tuple[Turn, Samples], tolerance: float = 0.0) -> None:
    assert ours[0].ids == theirs[0].ids
    assert ours[0].chunker.units == theirs[0].chunker.units
    assert ours[0].units_after_token == theirs[0].units_after_token
    np.testing.assert_allclose(ours[1], theirs[1], rtol=0, atol=tolerance)


@pytest.mark.parametrize("block", [100 * MS, 200 * MS, 500 * MS, 1000 * MS, 2000 * MS, None])
def test_the_answer_is_that_to_the_masked_whole(
    streaming: Make, plain: LlamaOmni, block: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The LLM's states too: they predict the first token, and later ones look back at those of the speech."""
    assistant, states = streaming(block), list[Tensor]()
    hook = assistant.model.llm.register_forward_hook(lambda _, __, state: states.append(state))
    in_blocks = answer(assistant, in_frames(SPEECH, 320))
    with torch.inference_mode():
        whole = defined_embeddings(plain, defined_mel(SPEECH), block)
    monkeypatch.setattr(assistant.listener, "listen", lambda *_: whole)
    at_once = answer(assistant, ())
    hook.remove()
    assert len(states) == 2 * TOKENS
    for ours, theirs in zip(states[:TOKENS], states[TOKENS:], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    assert_same(in_blocks, at_once, 1e-5)


@pytest.mark.parametrize("frame", [1, 333, 1600, 16_000, len(SPEECH)])
def test_frames_of_any_length_give_the_same_answer(streaming: Make, frame: int) -> None:
    expected = answer(streaming(500 * MS), in_frames(SPEECH, 320))
    assert_same(answer(streaming(500 * MS), in_frames(SPEECH, frame)), expected)


def test_a_block_is_taken_in_before_the_next_sample_is_waited_for(streaming: Make) -> None:
    assistant = streaming(500 * MS)
    taken: list[int] = []

    def frames() -> Iterator[Samples]:
        for frame in in_frames(SPEECH, 100 * MS):
            taken.append(assistant.text_cache.used - len(HEAD))
            yield frame

    turn, _ = answer(assistant, frames())
    assert taken == [0] * 5 + [5] * 5 + [10] * 5 + [15] * 5 + [20] * 4
    spans = [span.stage for span in turn._trace.finish().spans]
    assert spans[: 5 * 4] == ["features", "encoder", "adaptor", "llm.prefill"] * 5
    assert spans[20] == "speech_decoder", "the last block and the text after it are taken in together"


def test_speech_that_ends_with_a_block_leaves_only_the_text_after_it(streaming: Make) -> None:
    assistant, inputs = streaming(500 * MS), list[int]()
    hook = assistant.model.llm.register_forward_hook(lambda _, given, __: inputs.append(len(given[0])))
    turn, _ = answer(assistant, in_frames(SPEECH[: 1000 * MS], 320))
    hook.remove()
    assert inputs[0] == len(TAIL)
    assert [span.stage for span in turn._trace.finish().spans].count("encoder") == 2


def known(assistant: Assistant) -> list[Tensor]:
    """All that the caches know."""
    caches = [assistant.text_cache, assistant.speech_cache, assistant.listener._encoder.cache]
    assert [cache.used for cache in caches] == [len(HEAD), 0, 0]
    text: Any = assistant.text_cache
    return [part[:, :, :, : len(HEAD)].clone() for part in (text._keys, text._values)]


def broken(error: Exception, after: int) -> Iterator[Samples]:
    for place, frame in enumerate(in_frames(SPEECH, 100 * MS)):
        if place == after:
            raise error
        yield frame


@pytest.mark.parametrize("after", [0, 3, 12])
@pytest.mark.parametrize("error", [TurnCancelled(), RuntimeError("the microphone failed")], ids=["cancelled", "failed"])
def test_a_turn_that_ends_while_the_user_speaks_leaves_no_trace(streaming: Make, error: Exception, after: int) -> None:
    assistant = streaming(500 * MS)
    expected, before = answer(assistant, in_frames(SPEECH, 320)), known(assistant)
    with pytest.raises(type(error)):
        answer(assistant, broken(error, after))
    assert all(map(torch.equal, known(assistant), before))
    assert_same(answer(assistant, in_frames(SPEECH, 320)), expected)


def test_a_turn_given_up_while_it_answers_leaves_no_trace(streaming: Make) -> None:
    assistant = streaming(500 * MS)
    expected, before = answer(assistant, in_frames(SPEECH, 320)), known(assistant)
    packets = assistant.turn(Trace(MonotonicClock())).packets(in_frames(-SPEECH, 320))
    next(packets)
    packets.close()  # type: ignore[attr-defined]
    assert all(map(torch.equal, known(assistant), before))
    assert_same(answer(assistant, in_frames(SPEECH, 320)), expected)


def test_a_failing_encoder_leaves_no_trace(streaming: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    assistant = streaming(500 * MS)
    expected, before = answer(assistant, in_frames(SPEECH, 320)), known(assistant)
    with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="no memory"):
        patched.setattr(assistant.model.encoder.ln_post, "forward", failing)
        answer(assistant, in_frames(SPEECH, 320))
    assert all(map(torch.equal, known(assistant), before))
    assert_same(answer(assistant, in_frames(SPEECH, 320)), expected)


def failing(_: Tensor) -> Tensor:
    raise RuntimeError("no memory")


def test_blocks_of_every_length_have_been_run_at_loading(model: LlamaOmni, streaming: Make) -> None:
    """A kernel that is made during a turn would cost it milliseconds."""
    run, taken_in = list[int](), list[int]()
    hooks = [
        model.adaptor.register_forward_hook(lambda _, __, out: run.append(len(out))),
        model.llm.register_forward_hook(lambda _, given, __: taken_in.append(len(given[0]))),
    ]
    assistant = streaming(300 * MS)
    for hook in hooks:
        hook.remove()
    assert run == [1, 2, 3]
    assert taken_in == [1 + len(TAIL), 2 + len(TAIL), 3 + len(TAIL)]
    assert len(known(assistant)) == 2, "nothing of it is left"


def test_turns_are_independent(streaming: Make) -> None:
    assistant = streaming(500 * MS)
    alone = answer(assistant, in_frames(SPEECH[: 700 * MS], 320))
    longer = answer(assistant, in_frames(SPEECH, 320))
    assert longer[0].ids != alone[0].ids, "what was said matters"
    assert_same(answer(assistant, in_frames(SPEECH[: 700 * MS], 320)), alone)
