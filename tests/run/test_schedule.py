"""The order of turns, by hand; and three kinds of schedule that the product lacks, to show that it could have them.

Turns that are due at given moments, two turns in flight on two executors, and turns of conversations: each is one small
class here. Due turns run on the manager as it is; more than one turn in flight takes another driver.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from support.runs import make_segment, make_turn
from support.virtual import NoProgress, make_scripted, make_utterances, scripted_manifest

from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.record.schema import Manifest, Turn
from firstpacket.bench.record.store import Run, RunWriter, read_run
from firstpacket.bench.run.commit import commit
from firstpacket.bench.run.executor import Executor, TurnConfig
from firstpacket.bench.run.in_process import InProcessExecutor
from firstpacket.bench.run.manager import Manager
from firstpacket.bench.run.schedule.base import Chain, Ended, Paced, Plan, PlannedTurn, Preceded, Schedule, Step, Wait
from firstpacket.bench.run.schedule.fresh_start import FreshStart
from firstpacket.bench.timing.clock import Inbox, VirtualClock

MS = 1_000_000
LONG = 3_600_000 * MS
SCRIPT = "hear; tts 100; packet 20"
"""A turn takes 100 ms."""
CLIPS = make_utterances(4)


def planned(number: int, label: str = "a", clip: int = 0) -> PlannedTurn:
    return PlannedTurn(number, 0, "measured", label, CLIPS[clip].id)


def steps(schedule: Schedule) -> list[Step]:
    found = []
    while (step := schedule.next((), 0)) is not None:
        found.append(step)
    return found


def test_schedules_follow_one_another() -> None:
    one, two, rest = planned(1), planned(2), Wait(5)
    assert steps(Chain(Plan([one]), Plan([]), Plan([rest, two]))) == [one, rest, two]
    assert steps(Chain()) == []


def test_without_measured_turns_there_is_no_warm_up() -> None:
    warm, one, two = planned(0), planned(1), planned(2)
    assert steps(Preceded(Plan([warm, warm]), Plan([one, two]))) == [warm, warm, one, two]
    assert steps(Preceded(Plan([warm]), Plan([]))) == []


def test_turns_are_paced_but_waits_stay_as_they_are() -> None:
    turns, rest, pause = [planned(number) for number in range(1, 5)], Wait(5), Wait(20, silent=True)
    one, two, three, four = turns
    assert steps(Paced(Plan([one, two, rest, three, four]), 20)) == [one, pause, two, rest, three, pause, four]
    assert steps(Paced(Plan(turns), 0)) == turns
    assert steps(Paced(Plan([]), 20)) == []


def test_a_paced_run_rests_silently_between_all_turns_and_measures_the_same(tmp_path: Path) -> None:
    class Attentive(NoProgress):
        def idling(self, seconds: float) -> None:
            pytest.fail(f"said that it idles for {seconds} s")

    begins: dict[float, list[int]] = {}
    for pace_ms in (0.0, 20.0):
        what, clock = scripted_manifest({"a": SCRIPT, "b": SCRIPT}, CLIPS, pace_ms=pace_ms), VirtualClock()
        executors: dict[str, Executor] = {
            label: InProcessExecutor(make_scripted(label, SCRIPT), clock) for label in "ab"
        }
        with RunWriter.create(tmp_path / f"{pace_ms}", what) as writer:
            Manager(what, writer, executors, CLIPS, Attentive(), clock=clock).run((), make_segment)
        run = read_run(tmp_path / f"{pace_ms}")
        assert {turn.figures["first_packet_latency"] for turn in run.turns} == {100 * MS}
        begins[pace_ms] = [begun(run, turn) for turn in run.turns]
    assert begins[20.0] == [at + 20 * MS * number for number, at in enumerate(begins[0.0])]


# Turns that are due at given moments.


class Due:
    """Each turn at its planned time, or immediately if the one before it took longer."""

    def __init__(self, turns: Iterable[PlannedTurn]) -> None:
        self._left = list(turns)

    def next(self, ended: Sequence[Ended], now_ns: int) -> Step | None:
        if not self._left:
            return None
        due_ns = self._left[0].due_ns or 0
        return Wait(due_ns - now_ns) if now_ns < due_ns else self._left.pop(0)


def test_turns_begin_when_they_are_due_and_late_ones_say_so(tmp_path: Path) -> None:
    """The fourth is due 30 ms after the third, which takes 100 ms; the fifth is in time again."""
    due_ns = [at * MS for at in (50, 400, 900, 930, 2000)]
    schedule = Due(replace(planned(number), due_ns=at) for number, at in enumerate(due_ns, 1))
    what, clock = scripted_manifest({"a": SCRIPT}, CLIPS, turns=5), VirtualClock()
    executors: dict[str, Executor] = {"a": InProcessExecutor(make_scripted("a", SCRIPT), clock)}
    with RunWriter.create(tmp_path / "run", what) as writer:
        manager = Manager(what, writer, executors, CLIPS, NoProgress(), clock=clock, schedule=lambda *_: schedule)
        manager.run((), make_segment)
    run = read_run(tmp_path / "run")
    assert [begun(run, turn) for turn in run.turns] == [50 * MS, 400 * MS, 900 * MS, 1000 * MS, 2000 * MS]
    late_ns = [run.evidence(turn).delivery.start_ns - (run.evidence(turn).due_ns or 0) for turn in run.turns]
    assert late_ns == [0, 0, 0, 70 * MS, 0]
    assert {turn.figures["first_packet_latency"] for turn in run.turns} == {100 * MS}, (
        "from t0, not from when it was due"
    )


# More than one turn in flight.


class Concurrent:
    """Drives a schedule that hands out turns while others are in flight. One executor runs one turn at a time."""

    def __init__(
        self, what: Manifest, writer: RunWriter, executors: Mapping[str, Executor], clock: VirtualClock
    ) -> None:
        self._what = what
        self._writer = writer
        self._executors = executors
        self._clock = clock
        self._config = TurnConfig("file", LONG)

    def drive(self, schedule: Schedule) -> None:
        ended: list[Ended] = []
        arrived = self._clock.inbox()
        in_flight = 0
        for executor in self._executors.values():
            executor.start()
        while (step := schedule.next(ended, self._clock.now_ns())) is not None or in_flight:
            if isinstance(step, PlannedTurn):
                self._clock.spawn(partial(self._run, step, arrived), step.label)
                in_flight += 1
                continue
            if isinstance(step, Wait):
                self._clock.spawn(partial(self._wake, self._clock.now_ns() + step.ns, arrived), "timer")
            if (result := arrived.get()) is not None:
                turn, came = result
                record = commit(self._writer, self._what, 0, turn, clip_of(turn), came)
                ended.append(Ended(turn, record, came.delivery.t0_ns))
                in_flight -= 1

    def _run(self, turn: PlannedTurn, arrived: Inbox) -> None:
        arrived.put((turn, self._executors[turn.label].run(turn.turn, clip_of(turn), self._config)))

    def _wake(self, when_ns: int, arrived: Inbox) -> None:
        self._clock.sleep_until_ns(when_ns)
        arrived.put(None)


class OneOfEach:
    """The next planned turn of any label that has none in flight."""

    def __init__(self, plan: Iterable[PlannedTurn]) -> None:
        self._left = list(plan)
        self._begun: list[PlannedTurn] = []

    def next(self, ended: Sequence[Ended], now_ns: int) -> Step | None:
        over = {each.planned.turn for each in ended}
        busy = {turn.label for turn in self._begun if turn.turn not in over}
        free = next((turn for turn in self._left if turn.label not in busy), None)
        if free is not None:
            self._left.remove(free)
            self._begun.append(free)
            return free
        return Wait(LONG) if self._left else None


class Conversations:
    """Turns of conversations: a later turn of one only after its earlier one has ended."""

    def __init__(self, conversations: Iterable[Sequence[PlannedTurn]]) -> None:
        self._left = [list(turns) for turns in conversations]
        self._begun: list[PlannedTurn | None] = [None] * len(self._left)

    def next(self, ended: Sequence[Ended], now_ns: int) -> Step | None:
        over = {each.planned.turn for each in ended}
        in_flight = [turn for turn in self._begun if turn is not None and turn.turn not in over]
        busy = {turn.label for turn in in_flight}
        for number, left in enumerate(self._left):
            if left and left[0].label not in busy and self._begun[number] not in in_flight:
                turn = self._begun[number] = left.pop(0)
                return turn
        return Wait(LONG) if any(self._left) else None


def concurrent_run(path: Path, scripts: dict[str, str], schedule: Schedule) -> Run:
    what, clock = scripted_manifest(scripts, CLIPS), VirtualClock()
    executors: dict[str, Executor] = {
        label: InProcessExecutor(make_scripted(label, script), clock) for label, script in scripts.items()
    }
    with RunWriter.create(path, what) as writer:
        writer.segment(make_segment(0, ()))
        Concurrent(what, writer, executors, clock).drive(schedule)
    return read_run(path)


def test_two_turns_are_in_flight_on_two_executors(tmp_path: Path) -> None:
    """The second label takes a quarter of the first one's time: it ends four turns meanwhile."""
    plan = [planned(number, label) for number, label in enumerate("abbbbab", 1)]
    scripts = {"a": SCRIPT, "b": "hear; tts 25; packet 20"}
    run = concurrent_run(tmp_path / "run", scripts, OneOfEach(plan))
    assert {turn.turn: begun(run, turn) // MS for turn in run.turns} == {
        1: 0,
        2: 0,
        3: 25,
        4: 50,
        5: 75,
        6: 100,
        7: 100,
    }
    assert [turn.turn for turn in run.turns][:3] == [2, 3, 4], "each is on disk when it has ended"
    assert {turn.figures["first_packet_latency"] // MS for turn in run.turns if turn.label == "a"} == {100}
    assert {turn.figures["first_packet_latency"] // MS for turn in run.turns if turn.label == "b"} == {25}


@pytest.mark.parametrize("labels", [("aaa", "bbb"), ("ab", "ba", "aa"), ("abab", "b", "b")])
def test_a_later_turn_of_a_conversation_waits_for_the_earlier_one(tmp_path: Path, labels: tuple[str, ...]) -> None:
    numbers = iter(range(1, 100))
    conversations = [[planned(next(numbers), label) for label in turns] for turns in labels]
    run = concurrent_run(tmp_path / "run", {"a": SCRIPT, "b": "hear; tts 40; packet 20"}, Conversations(conversations))
    turns = {turn.turn: turn for turn in run.turns}
    assert set(turns) == {turn.turn for each in conversations for turn in each}
    for each in conversations:
        for earlier, later in pairwise(turns[turn.turn] for turn in each):
            assert begun(run, later) >= over(run, earlier)
    spans = sorted((begun(run, turn), over(run, turn), turn.label) for turn in run.turns)
    assert any(later[0] < earlier[1] for earlier, later in pairwise(spans)), "conversations go on side by side"
    for label in "ab":
        mine = [span for span in spans if span[2] == label]
        assert all(later[0] >= earlier[1] for earlier, later in pairwise(mine)), "one executor, one turn at a time"


def clip_of(turn: PlannedTurn) -> Utterance:
    return next(clip for clip in CLIPS if clip.id == turn.utterance)


def begun(run: Run, turn: Turn) -> int:
    return run.evidence(turn).delivery.start_ns


def over(run: Run, turn: Turn) -> int:
    return run.evidence(turn).trace.packets[-1].at_ns


def fresh_start(pairs: int, seconds: float, earlier: Sequence[Turn] = (), ms: int = 100) -> list[PlannedTurn]:
    """The measured turns of a start; each takes so many ms."""
    start = FreshStart(pairs, seconds)
    manifest = scripted_manifest({"a": SCRIPT, "b": SCRIPT}, CLIPS, turns=1000, warmup=0)
    schedule, given, now_ns = start(manifest, CLIPS, earlier, 3), list[PlannedTurn](), 0
    while (step := schedule.next([], now_ns)) is not None:
        assert isinstance(step, PlannedTurn)
        given.append(step)
        now_ns += ms * MS
    return [step for step in given if step.phase == "measured"]


def test_a_fresh_start_has_so_many_whole_pairs() -> None:
    turns = fresh_start(5, LONG)
    assert [turn.turn for turn in turns] == list(range(1, 11))
    assert all({one.label, other.label} == {"a", "b"} for one, other in zip(turns[::2], turns[1::2], strict=True))


def test_time_ends_a_fresh_start_between_two_pairs_but_not_before_the_first() -> None:
    assert len(fresh_start(100, 1.0)) == 10
    assert len(fresh_start(100, 0.0)) == 2


def test_a_fresh_start_goes_on_after_a_pair_that_was_interrupted() -> None:
    earlier = [make_turn(100.0, label=label, turn=number) for number, label in ((1, "a"), (2, "b"), (3, "a"))]
    assert fresh_start(2, LONG, earlier)[0].turn == 5
