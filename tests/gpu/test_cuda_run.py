"""A whole run on a real GPU; with FIRSTPACKET_OUT set (`make gpu OUT=...`), the run is kept there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from command import bench, write_clips

from bench.record.store import read_run

pytestmark = pytest.mark.cuda


def test_the_direct_pipeline_answers_on_the_gpu(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    out = Path(os.environ["FIRSTPACKET_OUT"]) if "FIRSTPACKET_OUT" in os.environ else tmp_path / "run"
    clips = write_clips(tmp_path / "clips", count=8)
    done = bench(
        "run", "-p", "direct", "--device", "cuda", "--corpus", clips, "--turns", "32", "--no-keep-audio", "--out", out
    )
    assert done.returncode == 0, done.stderr
    run = read_run(out)
    measured = [turn for turn in run.turns if turn.phase == "measured"]
    assert {turn.outcome for turn in measured} == {"answered"}
    assert all("stage.encoder.gpu" in turn.figures for turn in measured)
    assert all(sum(part.ns for part in turn.path) == turn.figures["first_packet_latency"] for turn in measured)
    assert all(0 < turn.path_error_ns < 1_000_000 for turn in measured)
