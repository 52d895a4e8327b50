"""Runs the command line as a user does, in a process of its own."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from scipy.io import wavfile

from firstpacket.bench.cli import main

ROOT = Path(__file__).resolve().parents[2]
THIRD_PARTY = Path(__file__).parent / "third_party"


def bench(
    *arguments: str | Path, cwd: Path = ROOT, plugins: bool = False, timeout_s: float = 100
) -> subprocess.CompletedProcess[str]:
    """`bench ARGUMENTS`; with `plugins`, the third-party test plugin is on the path."""
    path = [str(ROOT)] + ([str(THIRD_PARTY)] if plugins else [])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-m", "firstpacket", *map(str, arguments)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def here(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The same inside this process, for what needs no process of its own: much faster."""
    out, err = io.StringIO(), io.StringIO()
    before = sys.argv
    sys.argv = ["bench", *map(str, arguments)]
    code: object = None
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as ended:
        code = ended.code
    finally:
        sys.argv = before
    returncode = code if isinstance(code, int) else 0
    return subprocess.CompletedProcess(list(map(str, arguments)), returncode, out.getvalue(), err.getvalue())


def write_clips(folder: Path, count: int = 3) -> Path:
    """A corpus of short tones as 16 kHz WAV files, readable without any audio library."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        tone = 8000 * np.sin(np.arange(1600 + 320 * number) / (5 + number))
        wavfile.write(folder / f"clip{number}.wav", 16_000, tone.astype(np.int16))
    return folder
