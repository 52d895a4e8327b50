"""Flags of the host during a turn: each from its stated threshold on, and the same when recomputed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.runs import make_delivery, make_evidence, make_segment
from support.virtual import NoProgress, make_scripted, make_utterances, scripted_manifest

from firstpacket.bench.metrics.host_flags import host_flags
from firstpacket.bench.recompute import recompute
from firstpacket.bench.record.schema import LabelFacts
from firstpacket.bench.record.store import RunWriter, read_run
from firstpacket.bench.record.telemetry import Collections, HostTelemetry, Pause, Telemetry
from firstpacket.bench.run.in_process import InProcessExecutor
from firstpacket.bench.run.manager import Manager
from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.bench.timing.spans import PacketStamp, TurnTrace

MS = 1_000_000
QUIET = HostTelemetry(elapsed_ns=1000 * MS, cores=4, others_cpu_ns=0, others_error_ns=20 * MS, stolen_ns=0)


def flags(host: HostTelemetry | None, collections: Collections | None = None) -> tuple[str, ...]:
    """Of a turn whose t0 is at 1000 ms and whose first packet comes 100 ms later."""
    trace = TurnTrace(packets=(PacketStamp(1100 * MS, 100, 16_000, 0),))
    evidence = make_evidence(
        trace, delivery=make_delivery(1000 * MS), telemetry=Telemetry(host=host), collections=collections
    )
    return host_flags(evidence, 1000 * MS)


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        # A tenth of four cores over a second, and what the counters' steps may have added.
        ({"others_cpu_ns": 420 * MS}, None),
        ({"others_cpu_ns": 421 * MS}, "host_busy"),
        ({"stolen_ns": 100 * MS}, None),
        ({"stolen_ns": 101 * MS}, "stolen"),
        ({"throttled_periods": 0, "throttled_ns": 0}, None),
        ({"throttled_periods": 1}, "cpu_throttled"),
        ({"major_faults": 9}, None),
        ({"major_faults": 10}, "paged"),
        ({"swapped_in": 100, "swapped_out": 155}, None),
        ({"swapped_in": 100, "swapped_out": 156}, "paged"),
    ],
)
def test_each_flag_has_its_threshold(changes: dict[str, int], flag: str | None) -> None:
    assert flags(replace(QUIET, **changes)) == ((flag,) if flag else ())  # type: ignore[arg-type]


def test_absent_counters_raise_no_flag() -> None:
    assert flags(HostTelemetry(elapsed_ns=1, cores=1)) == () == flags(None)


def test_the_resolution_of_counters_flags_no_short_turn() -> None:
    assert flags(replace(QUIET, elapsed_ns=10 * MS, others_cpu_ns=20 * MS, stolen_ns=20 * MS)) == ()


@pytest.mark.parametrize(
    ("pauses", "paused"),
    [
        ([(1050, 1)], False),
        ([(1050, 1), (1060, 0.1)], True),
        # Before t0 the user was still speaking; after the first packet nobody waits for it.
        ([(998, 3)], False),
        ([(998, 4)], True),
        ([(1099, 30)], False),
        ([(1101, 30)], False),
    ],
)
def test_garbage_collection_counts_only_while_the_user_waits(pauses: list[tuple[float, float]], paused: bool) -> None:
    seen = Collections(len(pauses), 0, tuple(Pause(round(at * MS), round(ms * MS)) for at, ms in pauses))
    assert flags(None, seen) == (("gc_paused",) if paused else ())


class Noisy:
    """A watch on a machine where everything goes wrong in every second turn."""

    turns = 0

    def started(self, facts: LabelFacts) -> None: ...

    def before(self) -> None: ...

    def after(self) -> Telemetry:
        self.turns += 1
        wrong = self.turns % 2
        return Telemetry(
            replace(QUIET, others_cpu_ns=4000 * MS * wrong, throttled_periods=wrong, major_faults=99 * wrong)
        )


def test_flagged_turns_are_included_counted_and_recomputed(tmp_path: Path) -> None:
    clips, script = make_utterances(4), "hear; tts 5; packet 100"
    what = scripted_manifest({"a": script}, clips, warmup=0)
    executor = InProcessExecutor(make_scripted("a", script), VirtualClock())
    with RunWriter.create(tmp_path / "run", what) as writer:
        Manager(what, writer, {"a": executor}, clips, NoProgress(), Noisy()).run((), make_segment)
    run = read_run(tmp_path / "run")
    assert [turn.flags for turn in run.turns] == [("host_busy", "cpu_throttled", "paged"), ()] * 2 + [
        ("host_busy", "cpu_throttled", "paged")
    ]
    assert {turn.outcome for turn in run.turns} == {"answered"}
    assert recompute(run).equal
