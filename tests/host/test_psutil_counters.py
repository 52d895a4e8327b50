"""Readings through psutil, for systems without /proc; they can be tested on any."""

from __future__ import annotations

import os
import time

import psutil
import pytest

from firstpacket.bench.host.psutil_counters import OtherCounters
from firstpacket.bench.run.host_watch import between


def test_cpu_time_of_others_is_known_where_psutil_is_installed() -> None:
    counters = OtherCounters()
    before = counters.read()
    end_ns = time.process_time_ns() + 30_000_000
    while time.process_time_ns() < end_ns:
        pass
    after = counters.read()
    assert after.own_cpu_ns[os.getpid()] > before.own_cpu_ns[os.getpid()]
    found = between(before, after)
    assert found.others_cpu_ns is not None and found.cores == os.cpu_count()
    assert found.others_cpu_ns <= found.cores * found.elapsed_ns


def test_servers_that_work_for_the_run_count(monkeypatch: pytest.MonkeyPatch) -> None:
    assert os.getppid() not in OtherCounters().read().own_cpu_ns
    assert {os.getpid(), os.getppid()} <= OtherCounters().read({os.getppid(), 2**30}).own_cpu_ns.keys()


def test_what_psutil_cannot_read_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    counters = OtherCounters()

    def refuse() -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "cpu_times", refuse)
    found = counters.read()
    assert found.idle_ns is None and not found.own_cpu_ns
