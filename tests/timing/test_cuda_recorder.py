from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.fake_gpu import FakeGpu

from firstpacket.bench.errors import MissingDependency
from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.bench.timing.cuda import GpuRecorder, TorchCuda
from firstpacket.bench.timing.spans import TurnTrace
from firstpacket.bench.timing.trace import Trace

MS = 1_000_000


def turn(gpu: FakeGpu, work_ns: list[tuple[int, int]]) -> TurnTrace:
    """One turn of `(host ns before the launch, device ns)` stages, each launched without waiting."""
    recorder = GpuRecorder(gpu, gpu.clock)
    trace = Trace(gpu.clock, recorder)
    recorder.begin_turn()
    for number, (host_ns, device_ns) in enumerate(work_ns):
        with trace.stage(f"stage {number}", gpu=True):
            gpu.clock.advance(host_ns)
            gpu.launch(device_ns)
    recorder.end_turn()
    return trace.finish()


def test_a_launch_returns_immediately_and_the_span_is_the_devices() -> None:
    gpu = FakeGpu(VirtualClock())
    first, second = turn(gpu, [(10_000, 30 * MS), (10_000, 5 * MS)]).spans
    assert second.end_ns < 1 * MS
    assert second.gpu is not None
    assert first.gpu is not None
    assert abs((second.gpu.end_ns - second.gpu.start_ns) - 5 * MS) <= 2 * second.gpu.error_ns
    assert abs(second.gpu.start_ns - first.gpu.end_ns) <= first.gpu.error_ns + second.gpu.error_ns


@settings(max_examples=300)
@given(
    offset_ns=st.integers(-(10**15), 10**15),
    drift_ppm=st.floats(-200, 200),
    wander=st.floats(-0.1, 0.1),
    work=st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 20 * MS), st.integers(1, 8_000 * MS)), min_size=1, max_size=6
    ),
)
@example(0, 0.0, 0.1, [(0, 0, 8_000 * MS)] * 6)
@example(10**15, 200.0, -0.1, [(0, 0, 8_000 * MS)] * 6)
def test_both_borders_of_spans_land_within_the_stated_error(
    offset_ns: int, drift_ppm: float, wander: float, work: list[tuple[int, int, int]]
) -> None:
    """Stages `(stream, host ns before the launch, device ns)`, none waited for; a turn may take most of a minute.

    The examples bend the device's clock as far as is assumed: without the bound on that they would be missed.
    """
    gpu = FakeGpu(VirtualClock(), offset_ns, drift_ppm, wander)
    recorder = GpuRecorder(gpu, gpu.clock)
    trace = Trace(gpu.clock, recorder)
    recorder.begin_turn()
    entered_ns = []
    for number, (stream, host_ns, device_ns) in enumerate(work):
        gpu.stream = stream
        entered_ns.append(max(gpu.clock.now_ns(), gpu.drained_ns.get(stream, 0)))
        with trace.stage(f"stage {number}", gpu=True):
            gpu.clock.advance(host_ns)
            gpu.launch(device_ns)
    recorder.end_turn()
    for span in trace.finish().spans:
        assert span.gpu is not None
        number = int(span.stage.split()[1])
        assert span.gpu.stream == work[number][0]
        assert abs(span.gpu.start_ns - entered_ns[number]) <= span.gpu.error_ns
        assert abs(span.gpu.end_ns - gpu.truth[number][2]) <= span.gpu.error_ns
        assert 0 < span.gpu.error_ns < MS


def test_nothing_is_recorded_while_a_graph_is_captured() -> None:
    gpu = FakeGpu(VirtualClock(), capturing=True)
    assert turn(gpu, [(0, MS)]).spans[0].gpu is None


def test_events_come_back_to_the_pool() -> None:
    gpu = FakeGpu(VirtualClock())
    recorder = GpuRecorder(gpu, gpu.clock)
    made = 0

    def count() -> object:
        nonlocal made
        made += 1
        return type(gpu).new_event(gpu)

    gpu.new_event = count  # type: ignore[method-assign]
    after_first = 0
    for number in range(5):
        trace = Trace(gpu.clock, recorder)
        recorder.begin_turn()
        for _ in range(8):
            with trace.stage("encoder", gpu=True):
                gpu.launch(MS)
        recorder.end_turn()
        after_first = after_first or made
        assert made <= after_first + 2, f"turn {number} made events anew"


def test_spans_cannot_be_read_before_the_turn_has_ended() -> None:
    gpu = FakeGpu(VirtualClock())
    recorder = GpuRecorder(gpu, gpu.clock)
    recorder.begin_turn()
    span = recorder.pending_span()
    span.start()
    span.end()
    with pytest.raises(RuntimeError, match="end_turn"):
        span.resolved()


def test_cuda_without_cuda_says_what_to_do() -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(MissingDependency, match="--device cpu"):
        TorchCuda("cuda:0")
