"""Ctrl-C leaves a run that can be resumed; for kill -9 see test_kills.py."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support.runs import make_run, write_run
from support.virtual import NoProgress

from firstpacket.bench.errors import RunError
from firstpacket.bench.record.store import read_run
from firstpacket.bench.run.session import resume

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
        [sys.executable, "-m", "firstpacket", "run", "--no-report", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # A test run in the background has SIGINT ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


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


def test_the_run_of_a_gate_is_continued_by_the_gate(tmp_path: Path) -> None:
    """It plans as many turns as any gate could need."""
    path = write_run(tmp_path / "gate/run", make_run({"a": [100.0]}, replicated=True))
    with pytest.raises(RunError, match=f"bench gate --resume {path.parent}"):
        resume(path, NoProgress())
