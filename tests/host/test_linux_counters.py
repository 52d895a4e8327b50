"""Readings of a made /proc, and of the real one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.machine import FakeMachine

from firstpacket.bench.host.linux_counters import TICK_NS, LinuxCounters

PID = 99_999_990  # beyond what Linux gives out: its clock cannot be asked, so that ticks count

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux counts so")


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    made = FakeMachine(tmp_path)
    made.cores((10, 100, 5, 1), (20, 200, 0, 2), (1000, 1000, 1000, 1000))
    made.process(PID, {PID: 500})
    return made


def counters(machine: FakeMachine, *cores: int) -> LinuxCounters:
    return LinuxCounters(machine.root, PID, frozenset(cores))


def test_only_the_cores_that_may_be_used_count(machine: FakeMachine) -> None:
    two = counters(machine, 0, 1).read()
    assert (two.cores, two.idle_ns, two.stolen_ns) == (2, 305 * TICK_NS, 3 * TICK_NS)
    every = counters(machine, 0, 1, 2).read()
    assert (every.cores, every.idle_ns, every.stolen_ns) == (3, 2305 * TICK_NS, 1003 * TICK_NS)
    # The kernel rounds every line by itself.
    assert two.step_ns == 2 * every.step_ns


def test_cpu_time_includes_all_descendants(machine: FakeMachine) -> None:
    machine.process(PID, {PID: 500, PID + 5: 7}, children=[PID + 1], ticks=3, faults=2)
    machine.process(PID + 1, {PID + 1: 40}, children=[PID + 2, PID + 3], ticks=10, ended=4)
    machine.process(PID + 2, {PID + 2: 1}, ticks=100, faults=9)
    found = counters(machine, 0).read()
    assert found.own_cpu_ns == {PID: 3 * TICK_NS, PID + 1: 14 * TICK_NS, PID + 2: 100 * TICK_NS}
    assert found.own_waits_ns == {PID: 500, PID + 5: 7, PID + 1: 40, PID + 2: 1}
    assert found.own_faults == {PID: 2, PID + 1: 0, PID + 2: 9}


def test_servers_that_work_for_the_run_count_with_what_is_below_them(machine: FakeMachine) -> None:
    machine.process(PID, {PID: 500}, ticks=3)
    machine.process(PID + 1, {PID + 1: 40}, children=[PID + 2], ticks=10)
    machine.process(PID + 2, {PID + 2: 1}, ticks=100)
    # The second is below the first, and the third is gone.
    found = counters(machine, 0).read({PID + 1, PID + 2, PID + 3})
    assert found.own_cpu_ns == {PID: 3 * TICK_NS, PID + 1: 10 * TICK_NS, PID + 2: 100 * TICK_NS}


def test_swap_pressure_and_clocks(machine: FakeMachine) -> None:
    machine.put(
        {
            "proc/vmstat": "nr_free_pages 9\npswpin 11\npswpout 22\nxpswpin 5",
            "proc/pressure/cpu": "some avg10=1.00 avg60=0.00 avg300=0.00 total=123\nfull avg10=0.00 total=0\n",
            "proc/pressure/memory": "some avg10=0.00 avg60=0.00 avg300=0.00 total=7\nfull avg10=0.00 total=1\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1200000\n",
            "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": "3400000\n",
            "sys/devices/system/cpu/cpu2/cpufreq/scaling_cur_freq": "9900000\n",
        }
    )
    found = counters(machine, 0, 1).read()
    assert (found.swapped_in, found.swapped_out) == (11, 22)
    assert (found.cpu_pressure_ns, found.memory_pressure_ns) == (123_000, 7_000)
    assert found.frequency_mhz == 3400


def test_counters_that_the_system_lacks_are_absent(tmp_path: Path) -> None:
    found = LinuxCounters(tmp_path, PID, frozenset({0})).read()
    assert found.at_ns > 0 and found.cores == 1
    assert not found.own_cpu_ns and not found.own_waits_ns
    rest = (found.idle_ns, found.stolen_ns, found.throttled_periods, found.swapped_in, found.cpu_pressure_ns)
    assert rest == (None,) * 5 and found.frequency_mhz is None


@pytest.mark.parametrize("content", ["", "cpu\n", "cpu0 1 2\n", "rubbish\n", "some total=x\n", "some avg10=\n"])
def test_malformed_counters_are_absent(tmp_path: Path, content: str) -> None:
    machine = FakeMachine(tmp_path)
    names = ("stat", "vmstat", "pressure/cpu", f"{PID}/stat", f"{PID}/task/1/schedstat", f"{PID}/task/1/children")
    machine.put({f"proc/{name}": content for name in names})
    found = counters(machine, 0).read()
    assert found.idle_ns is None and found.swapped_in is None and found.cpu_pressure_ns is None


def test_this_process_has_used_what_its_clock_says() -> None:
    before_ns = time.process_time_ns()
    found = LinuxCounters().read()
    assert before_ns <= found.own_cpu_ns[os.getpid()]


def test_a_process_started_in_between_is_seen_with_what_it_used() -> None:
    counters = LinuxCounters()
    burn = "import sys; sum(range(3_000_000)); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        found = counters.read()
        child.communicate()
    assert found.own_cpu_ns[child.pid] > 0
    after = counters.read()
    # Ended and waited for, it is counted with its parent, in ticks.
    assert child.pid not in after.own_cpu_ns
    assert after.own_cpu_ns[os.getpid()] >= found.own_cpu_ns[os.getpid()]
