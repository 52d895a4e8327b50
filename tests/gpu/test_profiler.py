"""The profiler where it cannot work: it says why, and leaves nothing running."""

from __future__ import annotations

import pytest

from bench.gpu.profiler import TorchProfiler

torch = pytest.importorskip("torch")


def test_where_there_is_no_gpu_a_turn_has_a_problem_instead_of_a_profile() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    profiler = TorchProfiler("cuda:0")
    for _ in range(2):
        profiler.start()
        with profiler.mark("tts"):
            torch.zeros(1)
        found = profiler.stop()
        assert found.work == ()
        assert "CUDA" in found.problem
        assert "\n" not in found.problem
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]):
        torch.zeros(1)  # another session begins only where none was left at work
