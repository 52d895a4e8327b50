"""Both architectures on a real GPU, matched, in one run; with FIRSTPACKET_OUT set (`make gpu OUT=...`) it is kept."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from support.command import bench, write_clips

from firstpacket.bench.record.store import read_run

pytestmark = pytest.mark.cuda
VOICE = "matched=true,tts=transformers,tts-size=published"
PUBLISHED_GIB = 60
"""Two language models of 8 B values, two encoders of large-v3, and room for the work, in bfloat16."""


@pytest.mark.parametrize(("size", "turns", "gib"), [("tiny", 16, 2), ("8b", 100, PUBLISHED_GIB)])
def test_the_ladder_from_a_sequential_cascade_to_the_direct_model(
    tmp_path: Path, size: str, turns: int, gib: int
) -> None:
    """Every step is measured and attributed on the device; the figures are printed and kept, not judged."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    if not torch.cuda.is_available() or torch.cuda.get_device_properties(0).total_memory < gib << 30:
        pytest.skip(f"no CUDA device with {gib} GiB")
    out = Path(os.environ.get("FIRSTPACKET_OUT", str(tmp_path / "run")) + f"-ladder-{size}")
    clips = write_clips(tmp_path / "clips", count=8)
    labels = [f"{chain}=cascade,chain={chain},{VOICE}" for chain in ("sequential", "streamed")]
    if size == "8b":
        labels = labels[1:]  # three language models of that size do not fit beside each other everywhere
    arguments = [word for label in (*labels, f"direct,size={size}") for word in ("-p", label)]
    common = ("--weights", "dummy", "--device", "cuda", "--dtype", "bfloat16", "--no-keep-audio", "--turns", str(turns))
    done = bench("run", *arguments, *common, "--corpus", clips, "--out", out, timeout_s=1500)
    assert done.returncode == 0, done.stderr
    run = read_run(out)
    measured = [turn for turn in run.turns if turn.phase == "measured"]
    assert {turn.outcome for turn in measured} == {"answered"}
    for stage in ("asr", "llm.prefill", "tts"):
        assert all(f"stage.{stage}.gpu" in turn.figures for turn in measured if turn.label == "streamed"), stage
    assert all(sum(part.ns for part in turn.path) == turn.figures["first_packet_latency"] for turn in measured)
    figures = json.loads(bench("show", out, "--json").stdout)["labels"]
    for label, known in figures.items():
        first = known["figures"]["first_packet_latency"]
        sys.stdout.write(f"\n{label}: first packet p50 {first['p50']['value']:.1f} ms, {first['n']} turns")
    sys.stdout.write(f"\n{bench('compare', out).stdout}")
