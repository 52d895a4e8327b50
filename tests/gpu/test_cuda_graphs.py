"""Steps replayed from CUDA graphs answer as steps launched kernel by kernel (`make gpu`)."""

from __future__ import annotations

import numpy as np
import pytest
from support.frames import in_frames

from firstpacket.bench.pipeline import Samples
from firstpacket.bench.timing.clock import MonotonicClock, VirtualClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.bench.vocabulary import KnownMark

pytestmark = pytest.mark.cuda
torch = pytest.importorskip("torch")

TOKENS = 30
SPEECH: Samples = np.random.default_rng(1).normal(0, 0.1, 32_000).astype(np.float32)


def assistant(launching: object, **listening: object) -> object:
    """The tiny dummy model in float32, choosing for itself."""
    from firstpacket.pipelines.direct.llama_omni import dummy
    from firstpacket.pipelines.direct.llama_omni.prompt import SPEECH_TOKEN, Prompt
    from firstpacket.pipelines.direct.llama_omni.sampling import Choices, Sampling
    from firstpacket.pipelines.direct.llama_omni.streaming import Assistant, Plan

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    device = torch.device("cuda")
    plan = Plan(
        prompt=Prompt([3, 4, 5, SPEECH_TOKEN, 6, 7], device),
        choices=Choices(Sampling(), device),
        eos=frozenset(),
        max_new_tokens=TOKENS,
        chunk_units=10,
        launching=launching,
        **listening,
    )
    return Assistant(dummy.build("tiny", 0, device, torch.float32).model, plan)


IN_BLOCKS = {"encoder_context": "streaming", "block": 8000}


def answer(ready: object, frame: int = len(SPEECH)) -> tuple[list[int], list[int], Samples]:
    turn = ready.turn(Trace(MonotonicClock()))
    packets = [packet.samples for packet in turn.packets(in_frames(SPEECH, frame))]
    return turn.ids, turn.chunker.units, np.concatenate(packets)


@pytest.mark.parametrize(
    "asked",
    [{}, {"overlap": True}, {"compiled": True}],
    ids=["graphs", "graphs, overlap", "graphs of compiled kernels"],
)
def test_replayed_cuda_graphs_give_the_same_answer(asked: dict[str, bool]) -> None:
    from firstpacket.pipelines.direct.llama_omni.cuda_graphs import Launching

    plain = answer(assistant(Launching(graphs=False)))
    ready = assistant(Launching(**asked))
    if asked.get("compiled") and "captured, of compiled" not in ready.steps.notice:
        pytest.skip(f"torch.compile does not work here: {ready.steps.notice}")
    assert "graphs captured" in ready.steps.notice
    for _ in range(2):
        ids, units, wave = answer(ready)
        assert ids == plain[0]
        assert units == plain[1]
        np.testing.assert_allclose(wave, plain[2], atol=1e-3)


def test_speech_taken_in_by_blocks_is_answered_alike_however_it_comes() -> None:
    """Blocks are launched while earlier ones may still be at work."""
    from firstpacket.pipelines.direct.llama_omni.cuda_graphs import Launching

    expected = answer(assistant(Launching(graphs=False), **IN_BLOCKS))
    for launching in (Launching(graphs=False), Launching()):
        ready = assistant(launching, **IN_BLOCKS)
        for frame in (320, len(SPEECH), 333):
            ids, units, wave = answer(ready, frame)
            assert ids == expected[0]
            assert units == expected[1]
            np.testing.assert_allclose(wave, expected[2], atol=1e-3)


def test_a_block_is_late_while_the_device_is_at_work_on_the_one_before() -> None:
    """The host, which only launches, has waited for the speaker."""
    from firstpacket.pipelines.direct.llama_omni.pace import Pace

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    trace = Trace(VirtualClock())
    pace = Pace(trace, torch.device("cuda"))
    for busy_cycles in (0, 1_000_000_000, 0):
        pace.begins()
        torch.cuda._sleep(busy_cycles)
        pace.launched()
        trace.clock.advance(500_000_000)
        if not busy_cycles:
            torch.cuda.synchronize()
    marks = [mark.name for mark in trace.finish().marks]
    assert marks == [KnownMark.BLOCK, KnownMark.BLOCK, KnownMark.LATE_BLOCK]
