"""Differences of two readings of the host; garbage collections of a worker."""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest
from support.runs import make_segment
from support.virtual import NoProgress, make_scripted, make_utterances, scripted_manifest

from firstpacket.bench.host.counters import Reading
from firstpacket.bench.host.listeners import LocalServer
from firstpacket.bench.record.schema import LabelFacts
from firstpacket.bench.record.store import RunWriter, read_run
from firstpacket.bench.run.executor import Executor
from firstpacket.bench.run.garbage_watch import GarbageWatch
from firstpacket.bench.run.gpu_watch import GpuWatch
from firstpacket.bench.run.host_watch import HostWatch, between, host_counters
from firstpacket.bench.run.manager import Manager
from firstpacket.bench.run.process import ProcessExecutor
from firstpacket.bench.run.watch import MachineWatch
from firstpacket.bench.run.worker_environment import worker_environment
from firstpacket.bench.timing.clock import MonotonicClock, VirtualClock

MS = 1_000_000


def reading(at_ms: int, **counters: object) -> Reading:
    return Reading(at_ms * MS, 2, 20 * MS, **counters)  # type: ignore[arg-type]


def test_unaccounted_cpu_time_belongs_to_other_processes() -> None:
    before = reading(0, idle_ns=500 * MS, stolen_ns=5 * MS, own_cpu_ns={1: 10 * MS, 2: 70 * MS})
    after = reading(100, idle_ns=560 * MS, stolen_ns=15 * MS, own_cpu_ns={1: 40 * MS, 3: 20 * MS})
    found = between(before, after)
    # Two cores over 100 ms, without 60 idle, 10 stolen, 30 of process 1, and all 20 of process 3, which is new.
    assert found.others_cpu_ns == (200 - 60 - 10 - 30 - 20) * MS
    assert (found.elapsed_ns, found.cores, found.others_error_ns, found.stolen_ns) == (100 * MS, 2, 20 * MS, 10 * MS)


def test_absent_counters_give_absent_figures() -> None:
    found = between(reading(0), reading(10, idle_ns=5, throttled_periods=7, own_waits_ns={}))
    assert found.others_cpu_ns is None and found.stolen_ns is None and found.throttled_periods is None
    assert found.waited_for_cpu_ns is None and found.major_faults is None


def test_rounding_never_makes_time_run_backwards() -> None:
    found = between(
        reading(0, idle_ns=100 * MS, own_cpu_ns={1: 0}), reading(10, idle_ns=90 * MS, own_cpu_ns={1: 99 * MS})
    )
    assert found.others_cpu_ns == 0


def test_waits_and_faults_are_summed_over_threads_and_processes() -> None:
    before = reading(0, own_waits_ns={1: 5, 2: 7}, own_faults={1: 3})
    after = reading(1, own_waits_ns={1: 9, 2: 7, 3: 1}, own_faults={1: 4, 2: 2})
    found = between(before, after)
    assert (found.waited_for_cpu_ns, found.major_faults) == (5, 3)


def test_a_watch_without_a_first_reading_reports_nothing() -> None:
    watch = HostWatch(host_counters())
    assert watch.after() is None
    watch.before()
    assert watch.after() is not None and watch.after() is None


def test_servers_of_every_system_count_as_the_run_s_own() -> None:
    """Those of its last start: a server may be another one after a restart."""
    read: list[set[int]] = []

    class Noted:
        def read(self, servers: Collection[int] = ()) -> Reading:
            read.append(set(servers))
            return reading(0)

    watch = HostWatch(Noted())
    for label, pids in (("a", (5, 6)), ("b", (7,)), ("a", (8,))):
        watch.started(LabelFacts(label, 0, 1, (), servers=(LocalServer("http://localhost", pids),)))
    watch.before()
    watch.after()
    assert read == [{7, 8}, {7, 8}]


def test_real_workers_count_as_ours_and_report_collections_and_cpu_time(tmp_path: Path) -> None:
    """The whole way: a worker in its own process, the real counters, and the record."""
    script, clips = "hear; tts 30; packet 100", make_utterances(1)
    what = scripted_manifest({"a": script}, clips, warmup=0, turns=1)
    worker: Executor = ProcessExecutor(make_scripted("a", script), tmp_path / "log", worker_environment(1))
    watch = MachineWatch(HostWatch(host_counters()), GpuWatch())
    with RunWriter.create(tmp_path / "run", what) as writer:
        Manager(what, writer, {"a": worker}, clips, NoProgress(), watch).run((), make_segment)
    run = read_run(tmp_path / "run")
    for turn in run.turns:
        seen = run.evidence(turn).telemetry
        assert seen is not None and seen.host is not None and run.evidence(turn).collections is not None
        # The readings stand around the turn: what lies between them is at least as long.
        assert seen.host.elapsed_ns > turn.figures["first_packet_latency"]
        assert seen.host.cores >= 1
        assert 0 < turn.figures["first_packet_cpu"] < turn.figures["first_packet_latency"], "the script only sleeps"


@pytest.fixture
def watched() -> Iterator[GarbageWatch]:
    watch = GarbageWatch(MonotonicClock())
    yield watch
    watch.close()


def test_collections_are_counted_from_the_beginning_of_a_turn(watched: GarbageWatch) -> None:
    gc.collect()
    watched.begin_turn()
    litter: list[list[object]] = [[] for _ in range(200_000)]
    for each in litter:
        each.append(each)
    gc.collect()
    seen = watched.end_turn()
    assert seen.count >= 1 and seen.total_ns >= max(pause.ns for pause in seen.pauses)
    assert all(pause.ns >= 100_000 for pause in seen.pauses)
    watched.begin_turn()
    assert watched.end_turn().count == 0


def test_a_pause_has_its_begin_and_end() -> None:
    clock = VirtualClock()
    watch = GarbageWatch(clock)
    try:
        clock.sleep_until_ns(5 * MS)
        watch._heard("start", {})
        clock.sleep_until_ns(7 * MS)
        watch._heard("stop", {})
        (pause,) = watch.end_turn().pauses
        assert (pause.start_ns, pause.ns) == (5 * MS, 2 * MS)
    finally:
        watch.close()
