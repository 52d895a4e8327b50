"""The profiler where it cannot work: it says why, and leaves nothing running."""

from __future__ import annotations

import pytest

from firstpacket.bench.gpu.profiler import TorchProfiler

torch = pytest.importorskip("torch")


def test_without_a_gpu_a_turn_has_a_problem_instead_of_a_profile() -> None:
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


class Session:
    """Begins, but the device does nothing: as with a driver that has no CUPTI."""

    at_work = False

    def start(self) -> None:
        self.at_work = True

    def stop(self) -> None:
        self.at_work = False


def test_a_session_that_fails_half_way_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_kernels(profiler: TorchProfiler) -> None:
        raise RuntimeError("CUDA error: no kernel image is available")

    session = Session()
    monkeypatch.setattr(TorchProfiler, "_new_session", lambda profiler: session)
    monkeypatch.setattr(TorchProfiler, "_settle", no_kernels)
    profiler = TorchProfiler("cuda:0")
    profiler.start()
    assert not session.at_work
    assert profiler.stop().problem == "RuntimeError: CUDA error: no kernel image is available"
