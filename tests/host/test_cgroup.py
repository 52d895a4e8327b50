"""Quotas and throttling of both versions of control groups, from inside and outside a container."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.machine import FakeMachine

from firstpacket.bench.host.cgroup import cpu_groups, quota_cores, throttled

V2 = "29 23 0:26 {root} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
V1 = "30 25 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n31 25 0:28 {root} /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"  # noqa: E501
STAT2 = "usage_usec 5\nnr_periods 9\nnr_throttled {periods}\nthrottled_usec {us}\n"


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path)


def test_version_2_with_a_quota_above_the_own_group(machine: FakeMachine) -> None:
    machine.put(
        {
            "proc/self/mountinfo": V2.format(root="/"),
            "proc/self/cgroup": "0::/pod/box\n",
            "sys/fs/cgroup/pod/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/pod/cpu.stat": STAT2.format(periods=3, us=70),
            "sys/fs/cgroup/pod/box/cpu.max": "max 100000\n",
            "sys/fs/cgroup/pod/box/cpu.stat": STAT2.format(periods=0, us=0),
            "sys/fs/cgroup/cpu.stat": "usage_usec 1\n",
        }
    )
    groups = cpu_groups(machine.root)
    assert quota_cores(groups) == 1.5
    assert throttled(groups) == (3, 70_000)


def test_version_1_inside_a_container_that_sees_its_own_group_as_the_top(machine: FakeMachine) -> None:
    machine.put(
        {
            "proc/self/mountinfo": V1.format(root="/docker/abc"),
            "proc/self/cgroup": "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu/cpu.stat": "nr_periods 4\nnr_throttled 2\nthrottled_time 900\n",
        }
    )
    groups = cpu_groups(machine.root)
    assert quota_cores(groups) == 0.5
    assert throttled(groups) == (2, 900)


@pytest.mark.parametrize("path", ["/../../elsewhere", "/elsewhere"])
def test_a_group_that_cannot_be_seen_is_taken_at_the_top(machine: FakeMachine, path: str) -> None:
    machine.put(
        {
            "proc/self/mountinfo": V2.format(root="/docker/abc"),
            "proc/self/cgroup": f"0::{path}\n",
            "sys/fs/cgroup/cpu.max": "200000 100000\n",
            "sys/fs/cgroup/cpu.stat": STAT2.format(periods=1, us=1),
        }
    )
    assert quota_cores(cpu_groups(machine.root)) == 2


def test_no_quota_and_no_groups(machine: FakeMachine) -> None:
    assert cpu_groups(machine.root) == ()
    assert quota_cores(()) is None and throttled(()) == (None, None)
    machine.put(
        {
            "proc/self/mountinfo": V1.format(root="/"),
            "proc/self/cgroup": "3:cpu,cpuacct:/\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu/cpu.stat": "nr_periods 0\nnr_throttled 0\nthrottled_time 0\n",
        }
    )
    groups = cpu_groups(machine.root)
    assert quota_cores(groups) is None and throttled(groups) == (0, 0)
