"""The counters of Linux, from /proc."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from firstpacket.bench.host.cgroup import cpu_groups, throttled
from firstpacket.bench.host.counters import Reading
from firstpacket.bench.host.files import field, number, text, whole

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 10_000_000
IDLE, IO_WAIT, STEAL = 3, 4, 7
"""Columns of /proc/stat (proc_stat(5))."""
MAJOR_FAULTS, CHILD_MAJOR_FAULTS, CHILD_USER, CHILD_SYSTEM = 9, 10, 13, 14
"""Columns of /proc/PID/stat behind the name in brackets (proc_pid_stat(5))."""
CHEAP_NS = 300_000
"""Reading clock rates may interrupt every core; if it takes longer than this, they are not read."""


class LinuxCounters:
    """Reads /proc below `root` for process `pid` and all its descendants, which may run on `cores`."""

    def __init__(self, root: Path = Path("/"), pid: int | None = None, cores: frozenset[int] | None = None) -> None:
        self._proc = str(root / "proc")
        self._pid = pid or os.getpid()
        self._groups = cpu_groups(root)
        self._usable = cores or frozenset(os.sched_getaffinity(0))
        self._clocks = [root / f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq" for core in self._usable]
        began_ns = time.monotonic_ns()
        if self._frequency_mhz() is None or time.monotonic_ns() - began_ns > CHEAP_NS:
            self._clocks = []

    def read(self, servers: Collection[int] = ()) -> Reading:
        """Read the counters now; takes 0.3 to 0.6 ms with a worker or two."""
        idle, stolen, lines = self._cores()
        cpu_ns, waits_ns, faults = self._own(servers)
        periods, throttled_ns = throttled(self._groups)
        memory = text(f"{self._proc}/vmstat") or ""
        return Reading(
            at_ns=time.monotonic_ns(),
            cores=len(self._usable),
            step_ns=3 * TICK_NS * lines,
            idle_ns=idle,
            stolen_ns=stolen,
            own_cpu_ns=cpu_ns,
            own_waits_ns=waits_ns,
            own_faults=faults,
            throttled_periods=periods,
            throttled_ns=throttled_ns,
            swapped_in=field(memory, "pswpin"),
            swapped_out=field(memory, "pswpout"),
            cpu_pressure_ns=self._pressure_ns("cpu"),
            memory_pressure_ns=self._pressure_ns("memory"),
            frequency_mhz=self._frequency_mhz(),
        )

    def _cores(self) -> tuple[int | None, int | None, int]:
        """Idle and stolen time of the usable cores (ns), and over how many rounded lines they were summed."""
        cores: dict[str, list[int]] = {}
        for line in (text(f"{self._proc}/stat") or "").splitlines():
            name, *ticks = line.split()
            if not name.startswith("cpu"):
                break
            cores[name] = [int(each) for each in ticks if each.isdecimal()]
        whole_machine = cores.pop("cpu", None)
        if whole_machine is not None and len(cores) == len(self._usable):
            used = [whole_machine]
        else:
            used = [cores[name] for core in self._usable if (name := f"cpu{core}") in cores]
        if not used or any(len(ticks) <= STEAL for ticks in used):
            return None, None, 0
        idle = sum(ticks[IDLE] + ticks[IO_WAIT] for ticks in used)
        return idle * TICK_NS, sum(ticks[STEAL] for ticks in used) * TICK_NS, len(used)

    def _own(self, servers: Collection[int]) -> tuple[dict[int, int], dict[int, int], dict[int, int]]:
        """CPU time and major faults by process, waits for a core by thread, of own processes and all below them."""
        cpu_ns: dict[int, int] = {}
        waits_ns: dict[int, int] = {}
        faults: dict[int, int] = {}
        left = [self._pid, *servers]
        while left:
            pid = left.pop()
            if pid in cpu_ns:
                continue
            behind_name = (text(f"{self._proc}/{pid}/stat") or "").rpartition(")")[2].split()
            if len(behind_name) <= CHILD_SYSTEM:
                continue
            ended = int(behind_name[CHILD_USER]) + int(behind_name[CHILD_SYSTEM])
            cpu_ns[pid] = _cpu_time_ns(pid, behind_name) + ended * TICK_NS
            faults[pid] = int(behind_name[MAJOR_FAULTS]) + int(behind_name[CHILD_MAJOR_FAULTS])
            for thread in self._threads(pid):
                times = (text(f"{self._proc}/{pid}/task/{thread}/schedstat") or "").split()
                if len(times) == 3:
                    waits_ns[int(thread)] = int(times[1])
                left += map(int, (text(f"{self._proc}/{pid}/task/{thread}/children") or "").split())
        return cpu_ns, waits_ns, faults

    def _threads(self, pid: int) -> list[str]:
        try:
            return os.listdir(f"{self._proc}/{pid}/task")  # noqa: PTH208 (names alone, and quickly)
        except OSError:
            return []

    def _pressure_ns(self, what: str) -> int | None:
        """Time during which at least one process waited: `some avg10=… total=MICROSECONDS`."""
        first, _, _ = (text(f"{self._proc}/pressure/{what}") or "").partition("\n")
        total_us = whole(first.rpartition("total=")[2]) if first.startswith("some") else None
        return None if total_us is None else total_us * 1000

    def _frequency_mhz(self) -> float | None:
        found = [khz / 1000 for khz in self._read_clocks()]
        return max(found, default=None)

    def _read_clocks(self) -> Iterator[int]:
        return (khz for path in self._clocks if (khz := number(path)) is not None)


def _cpu_time_ns(pid: int, behind_name: list[str]) -> int:
    """CPU time of all threads of a process: from its clock to the nanosecond, else in ticks."""
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)  # MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED)
    except OSError:
        return (int(behind_name[11]) + int(behind_name[12])) * TICK_NS
