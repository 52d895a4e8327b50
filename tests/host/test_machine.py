"""What kind of machine this is, read from a made /sys and /proc."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from support.machine import FakeMachine

from firstpacket.bench.host import machine as host
from firstpacket.bench.host.machine import machine_facts, usable_cores
from firstpacket.bench.host.other_processes import Neighbours

CPU = "sys/devices/system/cpu"


@pytest.fixture
def made(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path)


def test_facts_that_the_system_does_not_state_are_absent(made: FakeMachine) -> None:
    facts = machine_facts(made.root)
    silent = ("governor", "boost", "smt", "virtual_machine", "container", "cpu_quota_cores", "memory_pressure_percent")
    assert [facts[name] for name in silent] == [None] * len(silent)


@pytest.mark.parametrize(
    ("files", "boost"),
    [
        ({f"{CPU}/intel_pstate/no_turbo": "1"}, False),
        ({f"{CPU}/intel_pstate/no_turbo": "0"}, True),
        ({f"{CPU}/cpufreq/boost": "1"}, True),
        ({f"{CPU}/cpufreq/boost": "0"}, False),
    ],
)
def test_boost_is_read_from_either_file(made: FakeMachine, files: dict[str, str], boost: bool) -> None:
    made.put(files)
    assert machine_facts(made.root)["boost"] is boost


def test_facts_of_a_laptop(made: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    made.put(
        {
            f"{CPU}/cpu0/cpufreq/scaling_governor": "powersave\n",
            f"{CPU}/smt/active": "1\n",
            "proc/cpuinfo": "processor : 0\nflags\t\t: fpu sse\n",
            "proc/pressure/memory": "some avg10=1.25 avg60=0.00 avg300=0.00 total=7\n",
        }
    )

    class Battery:
        power_plugged = False

    monkeypatch.setattr(host.psutil, "sensors_battery", Battery, raising=False)
    facts = machine_facts(made.root)
    assert (facts["governor"], facts["smt"], facts["virtual_machine"]) == ("powersave", True, False)
    assert facts["on_battery"] is True and facts["memory_pressure_percent"] == 1.25


@pytest.mark.parametrize(
    ("files", "container"),
    [
        ({".dockerenv": ""}, "docker"),
        ({"run/.containerenv": ""}, "podman"),
        ({"proc/self/cgroup": "0::/kubepods.slice/pod1\n"}, "kubernetes"),
        ({"proc/self/cgroup": "0::/user.slice\n"}, None),
    ],
)
def test_containers_and_virtual_machines_are_noticed(
    made: FakeMachine, files: dict[str, str], container: str | None
) -> None:
    made.put(files | {"proc/cpuinfo": "flags : fpu hypervisor\n"})
    facts = machine_facts(made.root)
    assert facts["container"] == container and facts["virtual_machine"] is True


@pytest.mark.parametrize(("quota_us", "cores"), [(150_000, 1), (50_000, 1), (10**9, None)])
def test_a_quota_limits_the_usable_cores(made: FakeMachine, quota_us: int, cores: int | None) -> None:
    made.put(
        {
            "proc/self/mountinfo": "29 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/cpu.stat": "usage_usec 5\n",
            "sys/fs/cgroup/cpu.max": f"{quota_us} 100000\n",
        }
    )
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert usable_cores(made.root) == (cores or affinity)


def test_other_processes_are_named_without_their_arguments() -> None:
    burn = "import os, sys; os.setsid()\nif os.fork(): sys.exit()\nprint(os.getpid(), flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", burn, "key=secret"], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        stranger = psutil.Process(int(starter.stdout.readline()))
    try:
        neighbours = Neighbours()
        used_s = stranger.cpu_times().user
        while stranger.cpu_times().user < used_s + 0.2:
            time.sleep(0.01)
        facts = neighbours.facts()
        assert f"{stranger.name()} " in str(facts["heavy_processes"]) and "secret" not in str(facts)
        assert isinstance(facts["heavy_cores"], float) and facts["heavy_cores"] > 0
    finally:
        stranger.kill()


def test_our_own_processes_are_not_listed_as_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    neighbours = Neighbours()
    ours = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        child = psutil.Process(ours.pid)
        while child.cpu_times().user < 0.1:
            pass
        everybody = {pid for (pid, _) in _heavy_pids(neighbours, monkeypatch)}
        assert ours.pid not in everybody and os.getpid() not in everybody
    finally:
        ours.kill()
        ours.wait()


def _heavy_pids(neighbours: Neighbours, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, float]]:
    """Processes with high CPU use, with names replaced by process numbers to distinguish them."""
    from firstpacket.bench.host import other_processes as module

    real = module._used_s
    monkeypatch.setattr(module, "_used_s", lambda: {(pid, str(pid)): used_s for (pid, _), used_s in real().items()})
    monkeypatch.setattr(module, "NAMED", 10_000)
    return [(int(name), share) for name, share in neighbours.heavy()]
