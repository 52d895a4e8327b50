"""What else this machine does during a measurement: kept away by a lock, added on purpose, and measured."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

BURST_S, PAUSE_S = 0.25, 0.35
"""Means of exponential distributions."""
PASSED_ON_S = 0.2
"""Time for a process that waits for the lock to get it, before this one wants it again."""


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Wait for other work on this machine that takes the same lock: the file that RECORD_LOCK names, if it is set."""
    path = os.environ.get("RECORD_LOCK")
    if not path:
        yield
        return
    with Path(path).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    time.sleep(PASSED_ON_S)


@contextlib.contextmanager
def busy(wanted: bool, seed: int) -> Iterator[None]:
    """Keep one core busy in irregular bursts, if wanted."""
    if not wanted:
        yield
        return
    # Started by a shell that ends: as a child of this process it would count as the run's own work.
    command = '(exec setsid "$@" >/dev/null 2>&1 & echo $!)'
    words = ["sh", "-c", command, "sh", sys.executable, __file__, str(seed), str(os.getpid())]
    pid = int(subprocess.run(words, capture_output=True, check=True).stdout)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def burst(seed: int, whose: int) -> None:
    """Work and pause until this process is killed, or the process that wanted it is gone."""
    chance = random.Random(seed)
    while psutil.pid_exists(whose):
        until = time.monotonic() + chance.expovariate(1 / BURST_S)
        while time.monotonic() < until:
            sum(range(1000))
        time.sleep(chance.expovariate(1 / PAUSE_S))


@dataclass(frozen=True, slots=True)
class Load:
    """What disturbed this machine for a while, in cores on average."""

    others_cores: float
    """CPU time of all processes but the children of this one that have ended."""
    stolen_cores: float | None
    """Taken by the hypervisor; None where the system does not say."""


class LoadMeter:
    """Measures the load from its creation on."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._before = self._used_s()

    def load(self) -> Load:
        """The load so far."""
        elapsed_s = time.monotonic() - self._began_s
        others, stolen = (
            None if after is None or before is None else round(max(0.0, after - before) / elapsed_s, 3)
            for after, before in zip(self._used_s(), self._before, strict=True)
        )
        return Load(others or 0.0, stolen)

    @staticmethod
    def _used_s() -> tuple[float, float | None]:
        """CPU time of other processes and stolen time, in seconds."""
        machine, own = psutil.cpu_times(), resource.getrusage(resource.RUSAGE_CHILDREN)
        used_s = sum(getattr(machine, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq"))
        return used_s - own.ru_utime - own.ru_stime, getattr(machine, "steal", None)


if __name__ == "__main__":
    burst(int(sys.argv[1]), int(sys.argv[2]))
