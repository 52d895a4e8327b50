"""The two servers of Home Assistant's voice chain: faster-whisper and piper behind the Wyoming protocol."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from real_servers.environment import WYOMING
from real_servers.process import HOST, Server, free_port, started

from firstpacket.pipelines.tools.weights.export import export

VOICE = "en_US-tone-low"
STARTING_S = 60.0


@contextmanager
def faster_whisper(folder: Path) -> Iterator[Server]:
    """The recogniser with this project's Whisper; its log goes to `folder`."""
    (model,) = export("faster-whisper", None)
    decoding = ("--stt-library", "faster-whisper", "--beam-size", "1", "--cpu-threads", "1")
    options = ("--model", model, "--language", "en", *decoding)
    with _started("wyoming_faster_whisper", folder, *options) as server:
        yield server


@contextmanager
def piper(folder: Path) -> Iterator[Server]:
    """The voice, which says tones."""
    writing = [WYOMING.python, Path(__file__).with_name("piper_voice.py"), folder, VOICE]
    subprocess.run([str(part) for part in writing], check=True)
    with _started("wyoming_piper", folder, "--voice", VOICE) as server:
        yield server


@contextmanager
def _started(module: str, folder: Path, *options: str | Path) -> Iterator[Server]:
    port = free_port()
    local = ("--uri", f"tcp://{HOST}:{port}", "--data-dir", folder, "--local-files-only")
    command = (WYOMING.python, "-m", module, *options, *local)
    with started(module, command, port, folder / f"{module}.log", STARTING_S) as server:
        yield server
