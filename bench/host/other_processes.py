"""Which other processes keep the machine busy. Names alone: arguments may hold secrets."""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from contextlib import suppress

import psutil

from firstpacket.bench.sanitize import clean

HEAVY_SHARE = 0.1
"""Share of one core below which a process is not reported."""
NAMED = 5
KTHREADD = 2
"""kthreadd, the parent of all Linux kernel threads; they work on behalf of other processes."""


class Neighbours:
    """Remembers the CPU time of every process when it was created; `heavy` lists those that used much since then."""

    def __init__(self) -> None:
        self._began_ns = time.monotonic_ns()
        self._before_s = _used_s()

    def facts(self, servers: Collection[int] = ()) -> dict[str, str | float | None]:
        """For the record of a run: names with shares of one core, and their sum in cores.

        `servers` are processes that work for the run, with all below them.
        """
        heavy = self.heavy(servers)
        said = ", ".join(f"{clean(name)} {100 * share:.0f} %" for name, share in heavy)
        return {"heavy_processes": said or None, "heavy_cores": round(sum(share for _, share in heavy), 2)}

    def heavy(self, servers: Collection[int] = ()) -> tuple[tuple[str, float], ...]:
        """Names and shares of one core since then, heaviest first, without own processes and those below them."""
        elapsed_s = (time.monotonic_ns() - self._began_ns) / 1e9
        own = _own(servers)
        shares: dict[str, float] = {}
        for (pid, name), used_s in _used_s().items():
            share = (used_s - self._before_s.get((pid, name), 0.0)) / elapsed_s
            if pid not in own and share >= HEAVY_SHARE:
                shares[name] = shares.get(name, 0.0) + share
        return tuple(sorted(shares.items(), key=lambda each: (-each[1], each[0]))[:NAMED])


def _used_s() -> dict[tuple[int, str], float]:
    """CPU time of all visible processes in seconds, by id and name; without kernel threads."""
    found = {}
    for process in psutil.process_iter(["name", "cpu_times", "ppid"]):
        times, name = process.info["cpu_times"], process.info["name"]
        of_kernel = psutil.LINUX and KTHREADD in (process.pid, process.info["ppid"])
        if times is not None and name and not of_kernel:
            found[process.pid, name] = times.user + times.system
    return found


def _own(servers: Collection[int]) -> set[int]:
    own = {os.getpid(), *servers}
    for pid in tuple(own):
        with suppress(psutil.Error):
            own |= {process.pid for process in psutil.Process(pid).children(recursive=True)}
    return own
