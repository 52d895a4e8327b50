"""Steps replayed from CUDA graphs answer as steps launched kernel by kernel (`make gpu`)."""

from __future__ import annotations

import numpy as np
import pytest

from firstpacket.bench.pipeline import Samples
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace

pytestmark = pytest.mark.cuda
torch = pytest.importorskip("torch")

TOKENS = 30
SPEECH: Samples = np.random.default_rng(1).normal(0, 0.1, 32_000).astype(np.float32)


def assistant(launching: object) -> object:
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
    )
    return Assistant(dummy.build("tiny", 0, device, torch.float32).model, plan)


def answer(ready: object) -> tuple[list[int], list[int], Samples]:
    turn = ready.turn(Trace(MonotonicClock()))
    packets = [packet.samples for packet in turn.packets([SPEECH])]
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
