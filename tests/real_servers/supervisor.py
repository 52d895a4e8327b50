"""Runs a command, and kills its own process group, and so the command with its helpers, when its input ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from threading import Thread

SIGNALLED = 128
"""The exit code of a command that a signal ended is this and the signal's number, as in a shell."""


def main(command: list[str]) -> int:
    Thread(target=_watch, daemon=True).start()
    code = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
    return code if code >= 0 else SIGNALLED - code


def _watch() -> None:
    os.read(0, 1)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
