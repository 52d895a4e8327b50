"""A whole run on a real GPU; with FIRSTPACKET_OUT set (`make gpu OUT=...`), the run is kept there."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from support.command import bench, write_clips

from firstpacket.bench.record.store import read_run

pytestmark = pytest.mark.cuda


def test_the_published_size_reaches_a_first_packet(tmp_path: Path) -> None:
    """8b dummy weights, Ω = 10, enough turns for a p99; the figures are printed and kept, not judged."""
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available() or torch.cuda.get_device_properties(0).total_memory < 40 << 30:
        pytest.skip("no CUDA device with 40 GiB")
    out = Path(os.environ.get("FIRSTPACKET_OUT", str(tmp_path / "run")) + "-8b")
    clips = write_clips(tmp_path / "clips", count=8)
    label = "direct-8b=direct,size=8b,max-new-tokens=8"
    common = ("--device", "cuda", "--dtype", "bfloat16")
    arguments = ("-p", label, *common, "--corpus", clips, "--turns", "662", "--no-keep-audio", "--out", out)
    done = bench("run", *arguments, timeout_s=900)
    assert done.returncode == 0, done.stderr
    figures = json.loads(bench("show", out, "--json").stdout)["labels"]["direct-8b"]["figures"]["first_packet_latency"]
    assert figures["n"] == 662
    floor = bench("roofline", "-p", "direct,size=8b,max-new-tokens=8", *common, timeout_s=600)
    assert floor.returncode == 0, floor.stderr
    p50, p99 = figures["p50"]["value"], figures["percentiles"]["p99"]["value"]
    said = f"first packet p50 {p50:.1f} ms, p99 {p99:.1f} ms (goals: 30 ms; 1.2 of p50)"
    sys.stdout.write(f"\n{said}\n{floor.stdout}")


def test_the_direct_pipeline_answers_on_the_gpu(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    out = Path(os.environ["FIRSTPACKET_OUT"]) if "FIRSTPACKET_OUT" in os.environ else tmp_path / "run"
    clips = write_clips(tmp_path / "clips", count=8)
    asked = ("-p", "direct,weights=dummy", "--device", "cuda", "--corpus", clips, "--turns", "32")
    done = bench("run", *asked, "--no-keep-audio", "--out", out)
    assert done.returncode == 0, done.stderr
    run = read_run(out)
    measured = [turn for turn in run.turns if turn.phase == "measured"]
    assert {turn.outcome for turn in measured} == {"answered"}
    assert all("stage.encoder.gpu" in turn.figures for turn in measured)
    assert all(sum(part.ns for part in turn.path) == turn.figures["first_packet_latency"] for turn in measured)
    assert all(0 < turn.path_error_ns < 1_000_000 for turn in measured)
