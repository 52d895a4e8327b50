"""Automatic warm-up and idle turns, on virtual time with pipelines that warm up as scripted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from support.runs import make_segment
from support.virtual import NoProgress, make_scripted, make_utterance, make_utterances, run_manager, scripted_manifest

from firstpacket.bench.pipeline import Declaration, Packet, Pipeline, Settings, Speech, Stage
from firstpacket.bench.record.rules import WarmupRule
from firstpacket.bench.record.schema import Manifest, Turn
from firstpacket.bench.record.store import Run, RunWriter, read_run
from firstpacket.bench.run.executor import Executor, TurnResult
from firstpacket.bench.run.in_process import InProcessExecutor
from firstpacket.bench.run.manager import Manager
from firstpacket.bench.run.schedule.warmup import warmup_rule
from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.bench.timing.trace import Trace

MS = 1_000_000
SECOND = 1_000_000_000
SCRIPT = "hear; tts 5; packet 20"
IDLE_S = 30.0


class Warming(Pipeline):
    """10 ms to the first packet, and on top what `COLD_MS` says of its first turns in this process."""

    COLD_MS: tuple[float, ...] = ()
    declaration = Declaration("warming", "warms up", stages=(Stage("tts", "speak"),))

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._turn = 0

    def load(self) -> None: ...

    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
        speech.whole()
        extra_ms = self.COLD_MS[self._turn] if self._turn < len(self.COLD_MS) else 0
        self._turn += 1
        with trace.stage("tts"):
            trace.clock.sleep_until_ns(trace.clock.now_ns() + round((10 + extra_ms) * MS))
        yield Packet(np.full(160, 0.2, np.float32), 16_000)


class SlowToWarm(Warming):
    COLD_MS = (500.0, 200.0, 100.0, 80.0, 60.0, 40.0, 30.0, 20.0, 10.0)


class NeverSteady(Warming):
    COLD_MS = tuple(float(10 * (turn % 3)) for turn in range(1000))


class Mute(Warming):
    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
        speech.whole()
        raise RuntimeError("nothing to say")
        yield


def warmed(tmp_path: Path, pipelines: dict[str, type[Pipeline]], count: int = 5, **changes: object) -> Run:
    clips = make_utterances(count)
    what = scripted_manifest(dict.fromkeys(pipelines, SCRIPT), clips, warmup_rule=warmup_rule(clips), **changes)
    clock = VirtualClock()
    executors: dict[str, Executor] = {
        label: InProcessExecutor(make_scripted(label, SCRIPT), clock, pipeline) for label, pipeline in pipelines.items()
    }
    with RunWriter.create(tmp_path / "run", what) as writer:
        Manager(what, writer, executors, clips, NoProgress(), clock=clock).run((), make_segment)
    return read_run(tmp_path / "run")


def phases(run: Run, label: str) -> Counter[str]:
    return Counter(turn.phase for turn in run.turns if turn.label == label)


def on_the_rules_clip(run: Run, label: str) -> list[Turn]:
    rule = run.manifest.warmup_rule
    assert rule is not None
    return [turn for turn in run.turns if (turn.label, turn.phase, turn.utterance) == (label, "warmup", rule.clip)]


def test_each_label_is_warmed_up_until_it_is_steady(tmp_path: Path) -> None:
    found = warmed(tmp_path, {"warm": Warming, "slow": SlowToWarm})
    assert len(on_the_rules_clip(found, "warm")) == WarmupRule("").window
    # Nine turns of it are cold; three even ones after the last slow half settle it.
    assert len(on_the_rules_clip(found, "slow")) > 9
    for turn in found.turns:
        if turn.phase == "measured":
            assert turn.figures["first_packet_latency"] == 10 * MS


def test_warm_up_opens_cold_and_with_the_longest_clip(tmp_path: Path) -> None:
    clips = (make_utterance("a", 0.3), make_utterance("b", 0.5), make_utterance("c", 0.2), make_utterance("d", 0.4))
    assert warmup_rule(clips).clip == "c"
    what = scripted_manifest({"x": SCRIPT, "y": SCRIPT}, clips, warmup_rule=warmup_rule(clips))
    run_manager(tmp_path / "run", what, clips)
    first = [(turn.label, turn.phase, turn.utterance) for turn in read_run(tmp_path / "run").turns[:6]]
    assert first == [
        ("x", "cold", "c"), ("y", "cold", "c"),
        ("x", "warmup", "b"), ("y", "warmup", "b"),
        ("x", "warmup", "c"), ("y", "warmup", "c"),
    ]  # fmt: skip


def test_a_corpus_of_one_clip_has_no_longer_one(tmp_path: Path) -> None:
    found = warmed(tmp_path, {"a": Warming}, count=1)
    assert phases(found, "a") == {"cold": 1, "warmup": WarmupRule("").window, "measured": 1}


def test_labels_alternate_until_they_are_steady(tmp_path: Path) -> None:
    found = warmed(tmp_path, {"slow": SlowToWarm, "warm": Warming})
    order = [turn.label for turn in found.turns if turn.phase == "warmup"]
    window = WarmupRule("").window
    assert order[: 2 * window + 2] == ["slow", "warm"] * (window + 1)
    assert set(order[2 * window + 2 :]) == {"slow"}, "who has settled is not asked again"


def test_warm_up_without_a_steady_state_ends_at_the_limit(tmp_path: Path) -> None:
    found = warmed(tmp_path, {"wild": NeverSteady, "warm": Warming})
    assert len(on_the_rules_clip(found, "wild")) == WarmupRule("").most
    assert phases(found, "wild")["measured"] == 5


def test_warm_up_of_a_label_that_never_answers_ends(tmp_path: Path) -> None:
    found = warmed(tmp_path, {"mute": Mute, "warm": Warming})
    assert phases(found, "mute") == {"cold": 1, "warmup": 3, "measured": 5}
    assert phases(found, "warm")["measured"] == 5


def test_a_budget_ends_the_search_but_not_before_the_window_is_full(tmp_path: Path) -> None:
    clips = make_utterances(3)
    rule = WarmupRule(clips[0].id, budget_s=0.0)
    what = scripted_manifest({"wild": SCRIPT}, clips, warmup_rule=rule)
    clock = VirtualClock()
    executor = InProcessExecutor(make_scripted("wild", SCRIPT), clock, NeverSteady)
    with RunWriter.create(tmp_path / "run", what) as writer:
        Manager(what, writer, {"wild": executor}, clips, NoProgress(), clock=clock).run((), make_segment)
    assert len(on_the_rules_clip(read_run(tmp_path / "run"), "wild")) == rule.window


class Dying:
    """A executor whose process ends in its third turn, every time."""

    def __init__(self, inner: InProcessExecutor) -> None:
        self._inner = inner
        self._turns = 0

    @property
    def ready(self) -> bool:
        return self._inner.ready

    def start(self):  # type: ignore[no-untyped-def]
        self._turns = 0
        return self._inner.start()

    def run(self, *arguments: object) -> TurnResult:
        self._turns += 1
        result = self._inner.run(*arguments)  # type: ignore[arg-type]
        if self._turns == 3:
            self._inner.stop()
        return result

    def stop(self) -> None:
        self._inner.stop()


def test_a_label_whose_process_dies_in_warm_up_is_still_measured(tmp_path: Path) -> None:
    clips = make_utterances(2)
    what = scripted_manifest({"dies": SCRIPT}, clips, warmup_rule=warmup_rule(clips))
    clock = VirtualClock()
    dying = Dying(InProcessExecutor(make_scripted("dies", SCRIPT), clock))
    with RunWriter.create(tmp_path / "run", what) as writer:
        Manager(what, writer, {"dies": dying}, clips, NoProgress(), clock=clock).run((), make_segment)
    found = read_run(tmp_path / "run")
    measured = [turn for turn in found.turns if turn.phase == "measured"]
    assert [turn.flags for turn in measured] == [("not_warmed_up",), ()]


def idle_run(tmp_path: Path, labels: str = "ab", turns: int = 4, **changes: object) -> tuple[Path, Manifest]:
    clips = make_utterances(3)
    what = scripted_manifest(dict.fromkeys(labels, SCRIPT), clips, idle=IDLE_S, idle_turns=turns, **changes)
    run_manager(tmp_path / "run", what, clips)
    return tmp_path / "run", what


def test_idle_turns_come_last_and_share_one_wait(tmp_path: Path) -> None:
    path, _ = idle_run(tmp_path)
    found = read_run(path)
    idle = [turn for turn in found.turns if turn.phase == "idle"]
    assert found.turns[-len(idle) :] == tuple(idle)
    assert phases(found, "a")["idle"] == phases(found, "b")["idle"] == 4
    assert min(turn.turn for turn in idle) > max(turn.turn for turn in found.turns if turn.phase == "measured")
    begins = [found.evidence(turn).delivery.t0_ns for turn in idle]
    gaps = [after - before for before, after in pairwise(begins)]
    waits = [gap >= IDLE_S * SECOND for gap in gaps]
    assert max(gap for gap, waited in zip(gaps, waits, strict=True) if not waited) < SECOND
    assert waits == [False, True, False, True, False, True, False], "one wait per round, for all labels at once"


def test_labels_take_turns_in_being_first_after_an_idle_wait(tmp_path: Path) -> None:
    found = read_run(idle_run(tmp_path)[0])
    first = Counter(
        turn.label for turn in found.turns if turn.phase == "idle" and "not_first_after_idle" not in turn.flags
    )
    assert first == {"a": 2, "b": 2}
    for number in range(4):
        asks = [turn for turn in found.turns if turn.phase == "idle" and turn.block == number]
        assert len({turn.utterance for turn in asks}) == 1


def test_every_label_was_idle_for_the_whole_wait(tmp_path: Path) -> None:
    found = read_run(idle_run(tmp_path, labels="abc", turns=3)[0])
    for label in "abc":
        mine = [turn for turn in found.turns if turn.label == label]
        for before, turn in pairwise(mine):
            if turn.phase == "idle":
                over_ns = found.evidence(before).trace.packets[-1].at_ns
                assert found.evidence(turn).delivery.start_ns - over_ns >= IDLE_S * SECOND


def test_without_the_option_there_are_no_idle_turns(tmp_path: Path) -> None:
    clips = make_utterances(2)
    run_manager(tmp_path / "run", scripted_manifest({"a": SCRIPT}, clips), clips)
    assert not phases(read_run(tmp_path / "run"), "a")["idle"]


@pytest.mark.parametrize("kept", [8, 9, 11])
def test_a_resumed_run_measures_the_remaining_idle_turns(tmp_path: Path, kept: int) -> None:
    """`kept` of the turns: 2 cold, 2 warm-up and 6 measured come first."""
    path, what = idle_run(tmp_path, warmup=1)
    whole = read_run(path)
    resumed = tmp_path / "resumed"
    clips, clock = make_utterances(3), VirtualClock()
    with RunWriter.create(resumed, what) as writer:
        writer.segment(make_segment(0, ()))
        for turn in whole.turns[:kept]:
            writer.evidence(whole.evidence(turn))
            writer.turn(turn)
        executors = {label: InProcessExecutor(make_scripted(label, SCRIPT), clock) for label in "ab"}
        Manager(what, writer, executors, clips, NoProgress(), clock=clock).run(whole.turns[:kept], make_segment, 1)
    found = read_run(resumed)

    def idle(run: Run) -> list[tuple[int, str, str]]:
        return sorted((turn.block, turn.label, turn.utterance) for turn in run.turns if turn.phase == "idle")

    assert idle(found) == idle(whole)
    again = [turn for turn in found.turns if turn.segment == 1]
    assert [turn.phase for turn in again[:2]] == ["cold", "cold"], "what was started anew is warmed up before it idles"
