"""The counters of systems other than Linux, as far as psutil has them."""

from __future__ import annotations

import os
import time
from collections.abc import Collection

import psutil

from firstpacket.bench.host.counters import Reading

STEP_NS = 20_000_000
"""Systems count CPU time in steps of 10 ms; a difference has two ends."""


class OtherCounters:
    """Reads what psutil gives everywhere: CPU times, of all and of this process and those below it, and swapping."""

    def __init__(self) -> None:
        self._process = psutil.Process()

    def read(self, servers: Collection[int] = ()) -> Reading:
        """Look now."""
        try:
            idle_s, swap = psutil.cpu_times().idle, psutil.swap_memory()
        except (psutil.Error, OSError):
            return Reading(time.monotonic_ns(), os.cpu_count() or 1, STEP_NS)
        return Reading(
            at_ns=time.monotonic_ns(),
            cores=os.cpu_count() or 1,
            step_ns=STEP_NS,
            idle_ns=round(idle_s * 1e9),
            own_cpu_ns=self._own_cpu_ns(servers),
            swapped_in=swap.sin // 4096,
            swapped_out=swap.sout // 4096,
        )

    def _own_cpu_ns(self, servers: Collection[int]) -> dict[int, int]:
        found = {}
        for process in (each for pid in (self._process.pid, *servers) for each in _with_children(pid)):
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            found[process.pid] = round((times.user + times.system) * 1e9)
        return found


def _with_children(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []
