"""The profiler on a real GPU: a busy device is distinguished from a starved one, in threads and graphs (`make gpu`)."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.command import bench, write_clips

from firstpacket.bench.gpu.profiler import TorchProfiler
from firstpacket.bench.metrics.intervals import covered_ns
from firstpacket.bench.record.gpu import GpuProfile
from firstpacket.bench.record.store import read_run
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.cuda import GpuRecorder, TorchCuda
from firstpacket.bench.timing.spans import TurnTrace
from firstpacket.bench.timing.trace import Trace

pytestmark = pytest.mark.cuda
torch = pytest.importorskip("torch")

Work = Callable[[Trace], None]


@pytest.fixture(scope="module")
def profiler() -> Iterator[TorchProfiler]:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    found = TorchProfiler("cuda:0")
    if found._problem:
        pytest.skip(f"no profiler here: {found._problem}")
    yield found


def profiled(profiler: TorchProfiler, work: Work) -> tuple[TurnTrace, GpuProfile]:
    recorder = GpuRecorder(TorchCuda("cuda:0"), MonotonicClock())
    profiler.start()
    trace = Trace(recorder._clock, recorder, profiler.mark)
    recorder.begin_turn()
    work(trace)
    recorder.end_turn()
    return trace.finish(), profiler.stop()


def shares(seen: TurnTrace, found: GpuProfile) -> dict[str, float]:
    """Busy over window by stage."""
    busy = {work.stage: covered_ns(work.stretches) for work in found.work}
    windows: dict[str, int] = {}
    for span in seen.spans:
        assert span.gpu is not None
        windows[span.stage] = windows.get(span.stage, 0) + span.gpu.end_ns - span.gpu.start_ns
    return {stage: busy.get(stage, 0) / window for stage, window in windows.items()}


def test_a_starved_device_is_distinguished_from_a_busy_one(profiler: TorchProfiler) -> None:
    matrix = torch.randn(4096, 4096, device="cuda", dtype=torch.bfloat16)

    def work(trace: Trace) -> None:
        with trace.stage("encoder", gpu=True):
            for _ in range(50):
                matrix @ matrix
        torch.cuda.synchronize()
        with trace.stage("vocoder", gpu=True):
            for _ in range(10):
                matrix @ matrix
                time.sleep(0.01)

    work(Trace(MonotonicClock()))
    seen, found = profiled(profiler, work)
    assert found.problem == ""
    assert found.lost == 0
    told = shares(seen, found)
    sys.stdout.write(f"\nbusy over window: {told}\n")
    assert 0.7 < told["encoder"] < 1.05
    assert told["vocoder"] < 0.5


def test_work_launched_in_another_thread_is_its_stages(profiler: TorchProfiler) -> None:
    matrix = torch.randn(2048, 2048, device="cuda")

    def work(trace: Trace) -> None:
        def speak() -> None:
            with trace.stage("tts", gpu=True):
                matrix @ matrix

        thread = threading.Thread(target=speak)
        with trace.stage("llm.decode", gpu=True):
            matrix @ matrix
            thread.start()
            thread.join()

    work(Trace(MonotonicClock()))
    _, found = profiled(profiler, work)
    by_stage = {each.stage: each.pieces for each in found.work}
    assert by_stage.keys() >= {"llm.decode", "tts"}, found


def test_the_kernels_of_a_replayed_graph_are_seen(profiler: TorchProfiler) -> None:
    """Captured after the profiler was made, as in a label's process."""
    matrix = torch.randn(512, 512, device="cuda")
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        matrix @ matrix
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(5):
            matrix @ matrix

    def work(trace: Trace) -> None:
        with trace.stage("llm.decode", gpu=True):
            graph.replay()

    seen, found = profiled(profiler, work)
    (own,) = (each for each in found.work if each.stage == "llm.decode")
    assert own.pieces >= 5
    assert found.lost == 0
    assert seen.spans[0].gpu is not None


def test_a_run_has_busy_times_and_shows_stages_to_nsight(tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    clips, out = write_clips(tmp_path / "clips", count=4), tmp_path / "run"
    common = ("--device", "cuda", "--corpus", clips, "--turns", "8", "--no-keep-audio", "--out", out)
    done = bench("run", "-p", "direct,weights=dummy", *common, "--profile-gpu", "--nvtx", timeout_s=600)
    assert done.returncode == 0, done.stderr
    run = read_run(out)
    assert run.manifest.options.nvtx
    measured = [turn for turn in run.turns if turn.phase == "measured"]
    assert not [name for turn in measured for name in turn.figures if name.endswith("busy")]
    assert all(run.evidence(turn).telemetry.gpus for turn in measured)  # type: ignore[union-attr]
    gpu = json.loads(bench("show", out, "--json").stdout)["labels"]["direct"]["gpu"]
    sys.stdout.write(f"\n{json.dumps(gpu, indent=1)}\n")
    assert gpu["turns"] == 3
    assert 0 < gpu["stages"]["encoder"]["share"] < 1.5
    assert gpu["unassigned_ms"] < gpu["busy_ms"]
    assert bench("recompute", out).returncode == 0
