"""Other work on every core, as on a machine that is not left alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_LOOP = "import os, sys\nwhile os.getppid() == int(sys.argv[1]): pass"
"""Busy until its parent has ended, even if that was killed."""


@contextmanager
def busy_cores(count: int | None = None) -> Iterator[tuple[int, ...]]:
    """Meanwhile `count` processes (default: one per core) are never idle; gives their process ids.

    Each is in a session of its own: Linux may share cores between sessions before it shares them between processes, and
    other work would have a session of its own, too.
    """
    command = [sys.executable, "-I", "-S", "-c", _LOOP, str(os.getpid())]
    loops: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(count or os.cpu_count() or 1):
            loops.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True))
        yield tuple(loop.pid for loop in loops)
    finally:
        for loop in loops:
            loop.kill()
        for loop in loops:
            loop.wait()
