"""The trace-event JSON is checked with a small reader that does what Perfetto's does, and is stricter."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.runs import with_options
from support.traces import traces, turn_of
from support.virtual import virtual_run

from firstpacket.bench.analysis.turn_trace import LONGEST_NS, OneTurn, one_turn
from firstpacket.bench.errors import RunError
from firstpacket.bench.export.perfetto import lanes, microseconds, perfetto
from firstpacket.bench.record.schema import Delivery
from firstpacket.bench.record.store import Run, read_run
from firstpacket.bench.timing.spans import DeviceWait, GpuSpan, HandOff, PacketStamp, StageSpan, TurnTrace

MS = 1_000_000
STREAMED = (
    "hear; asr 40; llm.prefill 20 token; llm.decode 30; send; llm.decode 50; send | take; tts 10; packet 40; take; "
    "tts 300; packet 200"
)


@dataclass(frozen=True)
class Slice:
    process: str
    track: str
    name: str
    start_ns: int
    end_ns: int
    tid: int


@dataclass
class Reader:
    """Reads times by truncation, keeps a stack per track that only slices pop, ties arrows to what is on top."""

    slices: list[Slice] = field(default_factory=list)
    instants: list[tuple[str, int]] = field(default_factory=list)
    arrows: list[tuple[Slice, Slice]] = field(default_factory=list)

    def read(self, drawn: dict[str, Any]) -> Reader:
        text = json.dumps(drawn, allow_nan=False)
        text.encode("ascii")
        events = json.loads(text)["traceEvents"]
        names = {
            (event["name"], event["pid"], event.get("tid")): event["args"]["name"]
            for event in events
            if event["name"] in ("process_name", "thread_name")
        }
        stacks: dict[int, list[Slice]] = {}
        begun: dict[int, Slice] = {}
        ended: set[int] = set()
        timed = [event for event in events if event["ph"] != "M"]
        assert all(type(event["ts"]) in (int, float) and event["ts"] >= 0 for event in timed)
        for event in sorted(timed, key=lambda event: nanoseconds(event["ts"])):
            at_ns, pid, tid = nanoseconds(event["ts"]), event["pid"], event["tid"]
            process, track = names["process_name", pid, None], names["thread_name", pid, tid]
            stack = stacks.setdefault(tid, [])
            if event["ph"] == "X":
                assert event["dur"] >= 0
                new = Slice(process, track, event["name"], at_ns, at_ns + nanoseconds(event["dur"]), tid)
                while stack and stack[-1].end_ns <= at_ns:
                    stack.pop()
                assert not stack or new.end_ns <= stack[-1].end_ns, f"{new} overlaps {stack[-1]} in part"
                assert not any(other.tid == tid and other.process != process for other in self.slices)
                stack.append(new)
                self.slices.append(new)
            elif event["ph"] == "i":
                self.instants.append((event["name"], at_ns))
            elif event["ph"] == "s":
                assert event["id"] not in begun, "arrows must not share an id"
                assert stack[-1].start_ns <= at_ns <= stack[-1].end_ns
                begun[event["id"]] = stack[-1]
            else:
                assert (event["ph"], event["bp"]) == ("f", "e")
                assert event["id"] not in ended
                ended.add(event["id"])
                assert stack[-1].start_ns == at_ns
                self.arrows.append((begun[event["id"]], stack[-1]))
        assert begun.keys() == ended
        return self

    def named(self, process: str) -> Counter[tuple[str, int, int]]:
        return Counter((each.name, each.start_ns, each.end_ns) for each in self.slices if each.process == process)


def nanoseconds(us: float) -> int:
    return int(us * 1000.0)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    scripts = {"a": STREAMED, "b": "hear; asr 3; raise"}
    return read_run(virtual_run(tmp_path_factory.mktemp("runs") / "run", scripts))


def answered(run: Run) -> OneTurn:
    return one_turn(run, next(turn.turn for turn in run.turns if turn.label == "a"))


@settings(max_examples=150)
@given(trace=traces(), t0_ns=st.integers(0, 40))
def test_any_trace_is_drawn_whole_and_by_the_rules(run: Run, trace: TurnTrace, t0_ns: int) -> None:
    one = turn_of(run, trace, t0_ns)
    seen = Reader().read(perfetto(one))
    origin = one.begins_ns

    def at(*moments: int) -> tuple[int, ...]:
        return tuple(ns - origin for ns in moments)

    marks = Counter(each for each in seen.named("host").elements() if each[0].endswith(("lets go", "goes on", "wait")))
    assert seen.named("host") - marks == Counter((s.stage, *at(s.start_ns, s.end_ns)) for s in trace.spans)
    assert seen.named("GPU") == Counter(
        (s.stage, *at(s.gpu.start_ns, s.gpu.end_ns)) for s in trace.spans if s.gpu is not None
    )
    path = [(each.start_ns, each.end_ns) for each in seen.slices if each.track == "critical path"]
    assert path == [at(part.start_ns, part.end_ns) for part in one.path]
    assert ("t0", t0_ns - origin) in seen.instants

    hand_offs = {hand_off.id: hand_off for hand_off in trace.hand_offs}
    expected = [(s.after, s.stage, s.start_ns) for s in trace.spans]
    expected += [(s.released_by, f"{s.stage} goes on", s.end_ns) for s in trace.spans]
    expected += [(p.after, f"packet {number}", p.at_ns) for number, p in enumerate(trace.packets, start=1)]
    assert Counter(
        (source.name.removesuffix(" lets go"), target.name, target.start_ns) for source, target in seen.arrows
    ) == Counter(
        (hand_offs[item].stage, name, *at(when))
        for item, name, when in expected
        if item in hand_offs and hand_offs[item].at_ns <= when
    )


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).map(lambda each: (each[0], sum(each)))))
def test_tracks_keep_every_span_and_never_overlap(stretches: list[tuple[int, int]]) -> None:
    found = lanes(stretches, lambda each: each)
    assert Counter(each for lane in found for each in lane) == Counter(stretches)
    for lane in found:
        for index, (start, end) in enumerate(lane):
            for other_start, other_end in lane[:index]:
                assert other_end <= start or end <= other_end, "in part"
                assert other_start <= start


def test_what_is_nested_needs_one_lane() -> None:
    assert len(lanes([(0, 10), (2, 5), (5, 10), (3, 4), (10, 12)], lambda each: each)) == 1
    assert len(lanes([(0, 10), (5, 15)], lambda each: each)) == 2


@example(1001)
@given(st.integers(0, LONGEST_NS))
def test_times_come_back_from_microseconds_to_the_nanosecond(ns: int) -> None:
    assert nanoseconds(json.loads(json.dumps(microseconds(ns)))) == ns


def test_a_streamed_turn_is_drawn_with_its_recorded_times(run: Run) -> None:
    one = answered(run)
    seen = Reader().read(perfetto(one))
    tracks = {(each.process, each.track) for each in seen.slices}
    assert {name for process, name in tracks if process == "host"} >= {
        "asr (thread 1)", "llm.prefill (thread 1)", "llm.decode (thread 1)", "tts (thread 2)",
    }  # fmt: skip
    assert [(each.name, each.end_ns - each.start_ns) for each in seen.slices if each.track == "critical path"] == [
        ("asr · host", 40 * MS),
        ("llm.prefill · host", 20 * MS),
        ("llm.decode · host", 30 * MS),
        ("tts · host", 10 * MS),
    ]
    assert [(each.name, each.start_ns // MS, each.end_ns // MS) for each in seen.slices if each.track == "player"] == [
        ("playing", 100, 140), ("stalled", 140, 440), ("playing", 440, 640),
    ]  # fmt: skip
    assert [(source.name, target.name) for source, target in seen.arrows] == [
        ("llm.decode", "tts"), ("tts", "packet 1"), ("llm.decode", "tts"), ("tts", "packet 2"),
    ]  # fmt: skip
    assert ("t0", 0) in seen.instants
    assert ("first output of llm.prefill", 60 * MS) in seen.instants
    stalls = sum(each.end_ns - each.start_ns for each in seen.slices if each.name == "stalled")
    assert stalls == one.turn.figures["stall_total"]


def test_an_arrow_to_the_end_of_a_wait_points_forwards(run: Run) -> None:
    """Perfetto turns an arrow round if the slice it leads to began first, as a wait does before what ends it."""
    spans = (StageSpan("asr", 1, 0, 90, released_by=0), StageSpan("endpoint", 2, 50, 90))
    seen = Reader().read(perfetto(turn_of(run, TurnTrace(spans, (HandOff(0, "endpoint", 2, 90),)))))
    (source, target), = seen.arrows  # fmt: skip
    assert (source.name, source.start_ns) == ("endpoint", 50)
    assert (target.name, target.start_ns) == ("asr goes on", 90)


def test_overlapping_work_on_a_stream_gets_a_second_track(run: Run) -> None:
    spans = tuple(StageSpan("tts", 1, at, at + 5, gpu=GpuSpan(7, at, at + 20, 3)) for at in (0, 10, 20))
    seen = Reader().read(perfetto(turn_of(run, TurnTrace(spans, waits=(DeviceWait(1, 20, 40),)))))
    gpu = [each for each in seen.slices if each.process == "GPU"]
    assert {each.track for each in gpu} == {"stream 7"}
    assert len({each.tid for each in gpu}) == 2
    assert [each.name for each in seen.slices if each.track == "waiting for the GPU (thread 1)"] == ["wait"]


def test_speech_before_t0_begins_the_drawing(tmp_path: Path) -> None:
    found = read_run(virtual_run(tmp_path / "run", {"a": "hear; asr 5; packet 100"}, input="realtime"))
    drawn = perfetto(one_turn(found, found.turns[0].turn))
    seen = Reader().read(drawn)
    (speech,) = [each for each in seen.slices if each.track == "microphone"]
    assert speech.start_ns == 0
    t0_ns = dict(seen.instants)["t0"]
    assert t0_ns == nanoseconds(drawn["otherData"]["t0_us"]) > 0
    (asr,) = [each for each in seen.slices if each.name == "asr"]
    assert asr.start_ns == t0_ns


def test_the_player_waits_its_pre_roll(run: Run) -> None:
    packets = (PacketStamp(10, 20, 1_000_000_000, 0), PacketStamp(45, 20, 1_000_000_000, 0))
    seen = Reader().read(perfetto(turn_of(run, TurnTrace(packets=packets), pre_roll_ns=5)))
    assert [(each.name, each.start_ns, each.end_ns) for each in seen.slices if each.track == "player"] == [
        ("pre-roll", 10, 15), ("playing", 15, 35), ("stalled", 35, 45), ("playing", 45, 65),
    ]  # fmt: skip


def test_a_turn_whose_worker_died_is_drawn_from_its_own_time(run: Run) -> None:
    """Such a turn has zeros where nothing was delivered."""
    late = 10**17
    one = turn_of(run, TurnTrace())
    evidence = replace(one.evidence, delivery=Delivery(late, 0, 0, ()))
    again = one_turn(replace(one.run, given={one.turn.turn: evidence}), one.turn.turn)
    assert again.begins_ns == late
    assert Reader().read(perfetto(again)).slices == []


def test_the_drawing_counts_from_the_declared_start(run: Run) -> None:
    trace = TurnTrace((StageSpan("asr", 1, 30, 50),), packets=(PacketStamp(60, 1, 1, 1),))
    one = turn_of(run, trace)
    one = one_turn(replace(one.run, given={one.turn.turn: with_options(one.evidence, t0="request")}), one.turn.turn)
    seen = Reader().read(perfetto(one))
    assert dict(seen.instants)["t0"] == 30
    assert next(each.start_ns for each in seen.slices if each.track == "critical path") == 30


def test_a_turn_without_an_answer_is_drawn_too(run: Run) -> None:
    failed = next(turn.turn for turn in run.turns if turn.label == "b")
    seen = Reader().read(perfetto(one_turn(run, failed)))
    assert {each.name for each in seen.slices} == {"asr"}


@pytest.mark.parametrize(
    "trace",
    [
        TurnTrace((StageSpan("asr", 1, 9, 5),)),
        TurnTrace((StageSpan("asr", 1, 0, 5, gpu=GpuSpan(0, 9, 5, 0)),)),
        TurnTrace((StageSpan("asr", 1, 0, 2**62),)),
        TurnTrace(waits=(DeviceWait(1, 9, 5),)),
        TurnTrace(packets=(PacketStamp(1, 1, 0, 0),)),
        TurnTrace(packets=(PacketStamp(1, -1, 16_000, 0),)),
        TurnTrace(packets=(PacketStamp(1, 2**62, 1, 0),)),
    ],
)
def test_an_inconsistent_trace_is_refused(run: Run, trace: TurnTrace) -> None:
    with pytest.raises(RunError, match="is inconsistent"):
        turn_of(run, trace)
