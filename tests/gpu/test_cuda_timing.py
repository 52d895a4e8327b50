"""The instrumentor on a real GPU (`make gpu`)."""

from __future__ import annotations

import pytest

from firstpacket.bench.metrics.critical_path import critical_path, summed
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.cuda import GpuRecorder, TorchCuda
from firstpacket.bench.timing.trace import Trace

pytestmark = pytest.mark.cuda


@pytest.fixture(scope="module")
def recorder() -> GpuRecorder:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return GpuRecorder(TorchCuda("cuda:0"), MonotonicClock())


def test_spans_of_a_real_device_lie_inside_the_turn(recorder: GpuRecorder) -> None:
    import torch

    matrix = torch.randn(4096, 4096, device="cuda", dtype=torch.bfloat16)
    for _ in range(3):
        recorder.begin_turn()
        trace = Trace(recorder._clock, recorder)
        t0_ns = recorder._clock.now_ns()
        with trace.stage("encoder", gpu=True):
            product = matrix
            for _ in range(50):
                product = product @ matrix
        with trace.stage("llm.prefill", gpu=True):
            for _ in range(20):
                product = product @ matrix
        with trace.stage("copy"), trace.device_wait():
            product.float().sum().item()
        trace.packet(1, 1, trace.hand_off("copy"))
        recorder.end_turn()
        seen = trace.finish()
    spans = {span.stage: span for span in seen.spans}
    encoder, prefill = spans["encoder"].gpu, spans["llm.prefill"].gpu
    assert encoder is not None
    assert prefill is not None
    assert t0_ns - encoder.error_ns <= encoder.start_ns <= encoder.end_ns
    assert encoder.end_ns <= prefill.start_ns + prefill.error_ns
    assert prefill.end_ns <= seen.packets[0].at_ns + prefill.error_ns
    assert encoder.error_ns < 200_000
    parts = summed(critical_path(seen, t0_ns))
    assert sum(parts.values()) == seen.packets[0].at_ns - t0_ns
    assert parts["encoder", "gpu"] > parts["llm.prefill", "gpu"]


def test_nothing_is_recorded_inside_a_graph_capture(recorder: GpuRecorder) -> None:
    import torch

    matrix = torch.randn(64, 64, device="cuda")
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        for _ in range(3):
            matrix @ matrix
    torch.cuda.synchronize()
    recorder.begin_turn()
    trace = Trace(recorder._clock, recorder)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph), trace.stage("llm.decode", gpu=True):
        matrix @ matrix
    with trace.stage("llm.decode", gpu=True):
        graph.replay()
    recorder.end_turn()
    captured, replayed = trace.finish().spans
    assert captured.gpu is None
    assert replayed.gpu is not None
