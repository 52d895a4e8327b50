"""Workers on given CPUs: what the option may say, and where their threads then really run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.virtual import make_scripted

from firstpacket.bench.config import gather
from firstpacket.bench.errors import UsageError
from firstpacket.bench.options import Options, parse_pin, parse_pipeline
from firstpacket.bench.run import session
from firstpacket.bench.run.base_version_worker import BaselineExecutor
from firstpacket.bench.run.code_version import CodeVersion
from firstpacket.bench.run.pinning import pinned_cpus
from firstpacket.bench.run.process import ProcessExecutor
from firstpacket.bench.run.worker_environment import worker_environment

CHOICE = (parse_pipeline("scripted"),)
on_linux = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system cannot pin")


@pytest.mark.parametrize(
    ("text", "cpus"), [("1", {1}), ("0,2", {0, 2}), ("4-7", {4, 5, 6, 7}), ("0, 3-4,3", {0, 3, 4}), ("2-2", {2})]
)
def test_cpus_are_numbers_and_ranges(text: str, cpus: set[int]) -> None:
    assert parse_pin(text) == cpus


@pytest.mark.parametrize("text", ["", " ", "a", "-1", "1-", "3-1", "0,,1", "0;1", "0-99999", "1.5"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--pin"):
        gather({"pipelines": CHOICE, "pin": text}, None)


@on_linux
def test_only_cpus_that_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 5})
    assert pinned_cpus(None) == set()
    assert pinned_cpus("5,0") == {0, 5}
    with pytest.raises(UsageError, match=r"--pin 0-2: this process may not use CPU 2\. Choose from 0,1,5\."):
        pinned_cpus("0-2")


def test_a_system_that_cannot_pin_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    with pytest.raises(UsageError, match="--pin 0: this system cannot pin processes"):
        pinned_cpus("0")


@on_linux
def test_workers_get_as_many_threads_as_cpus_and_the_record_names_these_in_one_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr("firstpacket.bench.run.new_run.usable_cores", lambda: 4)

    def in_force(**changes: str | int) -> Options:
        return session.prepare(Options(pipelines=CHOICE, **changes), ("test",)).manifest.options  # type: ignore[arg-type]

    assert [in_force(pin=text).threads for text in ("7", "1-2", "0-7")] == [1, 2, 4]
    assert in_force(pin="1", threads=3).threads == 3
    assert in_force(pin="2,0-1").pin == in_force(pin="0-2").pin == "0,1,2"
    assert (in_force().threads, in_force().pin) == (4, None)


def own(log: Path, cpus: frozenset[int]) -> ProcessExecutor:
    return ProcessExecutor(make_scripted("a", "hear"), log, worker_environment(2), cpus=cpus)


def base(log: Path, cpus: frozenset[int]) -> ProcessExecutor:
    version = CodeVersion("itself", (sys.executable,), {}, itself=True)
    return BaselineExecutor(make_scripted("a", "hear"), log, worker_environment(2), version, cpus=cpus)


@on_linux
@pytest.mark.parametrize("executor", [own, base])
def test_all_threads_of_a_worker_are_pinned_and_the_manager_is_not(
    executor: Callable[[Path, frozenset[int]], ProcessExecutor], tmp_path: Path
) -> None:
    before = os.sched_getaffinity(0)
    cpus = frozenset({max(before)})
    worker = executor(tmp_path / "log", cpus)
    try:
        pid = worker.start().pid
        threads = [int(each.name) for each in Path(f"/proc/{pid}/task").iterdir()]
        assert len(threads) > 1
        assert {frozenset(os.sched_getaffinity(thread)) for thread in threads} == {cpus}
    finally:
        worker.stop()
    assert os.sched_getaffinity(0) == before
