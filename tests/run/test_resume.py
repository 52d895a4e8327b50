"""kill -9 of the manager at any moment loses at most the turn in flight."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench.record.store import read_run

SCRIPTS = ["-p", "a=scripted,script=hear; tts 3; packet 20", "-p", "b=scripted,script=hear; tts 5; packet 20"]


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    for number in range(3):
        tone = 0.2 * np.sin(np.arange(1600 + 160 * number) / 5)
        soundfile.write(folder / f"clip{number}.wav", tone, 16_000)
    return folder


def bench(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench", "run", "--no-report", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # A test run in the background has SIGINT ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def kill_at_random_moments(out: Path, clips: Path, times: int, seed: int) -> None:
    chance = random.Random(seed)
    arguments = [*SCRIPTS, "--corpus", str(clips), "--turns", "12", "--warmup", "0", "--out", str(out)]
    for _ in range(times):
        process = bench(*arguments)
        while not out.exists() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(chance.uniform(0.0, 1.2))
        process.kill()
        process.wait()
        if (out / "manifest.json").exists():
            arguments = ["--resume", str(out)]
        elif out.exists():
            pytest.skip("killed before the manifest was written")
    assert bench(*arguments).wait(60) == 0


def orders(out: Path) -> list[tuple[int, int, str, str, str]]:
    turns = [turn for turn in read_run(out).turns if turn.phase == "measured"]
    return sorted((turn.turn, turn.block, turn.label, turn.utterance, turn.outcome) for turn in turns)


def test_a_resumed_run_equals_an_undisturbed_one(tmp_path: Path, clips: Path) -> None:
    kill_at_random_moments(tmp_path / "disturbed", clips, times=4, seed=0)
    undisturbed = bench(
        *SCRIPTS, "--corpus", str(clips), "--turns", "12", "--warmup", "0", "--out", str(tmp_path / "plain")
    )
    assert undisturbed.wait(60) == 0
    assert orders(tmp_path / "disturbed") == orders(tmp_path / "plain")


def test_ctrl_c_leaves_a_valid_run(tmp_path: Path, clips: Path) -> None:
    out = tmp_path / "run"
    process = bench(*SCRIPTS, "--corpus", str(clips), "--turns", "400", "--warmup", "0", "--out", str(out))
    turns = out / "turns.jsonl"
    while not (turns.exists() and turns.read_bytes().count(b"\n") > 3):
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(20) == 130
    run = read_run(out)
    assert not run.notices
    assert [turn.outcome for turn in run.turns if turn.outcome != "answered"] in ([], ["interrupted"])
