"""Carry-over from the label before: found where it was planted, and not where it was not."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.runs import make_segment, make_turn
from support.virtual import NoProgress, make_scripted, make_utterances, scripted_manifest

from firstpacket.bench.metrics.carry_over import ALPHA, CarryOver, carry_over
from firstpacket.bench.pipeline import Declaration, Packet, Pipeline, Settings, Speech, Stage
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.record.store import RunWriter, read_run
from firstpacket.bench.run.in_process import InProcessExecutor
from firstpacket.bench.run.manager import Manager
from firstpacket.bench.run.schedule.orders import measured
from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.bench.timing.trace import Trace

MS = 1_000_000
Latency = Callable[[str, str, str, int, random.Random], float]
"""ms of (label, label before, clip, position)."""


def turns(labels: Sequence[str], clips: int, count: int, latency: Latency, seed: int = 0) -> list[Turn]:
    """Measured turns as the plan asks them, each as late as `latency` says."""
    chance = random.Random(seed)
    names = [f"clip-{number}" for number in range(clips)]
    found, before = [], labels[0]
    for ask in measured(labels, names, count, seed):
        value = latency(ask.label, before, ask.utterance, (ask.turn - 1) // len(labels), chance)
        before = ask.label
        figures = {"first_packet_latency": round(value * MS)}
        found.append(
            make_turn(turn=ask.turn, block=ask.block, label=ask.label, utterance=ask.utterance, figures=figures)
        )
    return found


def quiet(label: str, before: str, clip: str, position: int, chance: random.Random) -> float:
    """Clips differ by more than half, the machine drifts by a tenth, turns are noisy, and one in fifty stalls."""
    usual = 100 + 20 * int(clip.removeprefix("clip-")) % 70
    drift = 1 + 0.1 * np.sin(position / 10)
    return usual * drift * chance.lognormvariate(0, 0.05) + (300 if chance.random() < 0.02 else 0)


def after_b(label: str, before: str, clip: str, position: int, chance: random.Random) -> float:
    """The same, and `a` takes an eighth more right after `b`."""
    return quiet(label, before, clip, position, chance) * (1.125 if (label, before) == ("a", "b") else 1)


def named(found: Sequence[CarryOver]) -> dict[str, CarryOver]:
    return {each.label: each for each in found}


@pytest.mark.parametrize("labels", ["ab", "abc"])
def test_planted_carry_over_is_found_with_its_size(labels: str) -> None:
    found = named(carry_over(turns(labels, 10, 120, after_b), labels))
    assert found["a"].significant
    assert not found["b"].significant
    by_name = {each.predecessor: each.difference for each in found["a"].after}
    interval = by_name["b"].interval
    assert interval is not None
    # An eighth of the clips' median, which is about 130 ms.
    assert interval.contains(16)
    assert 0 < interval.low < by_name["b"].value < interval.high < 40


def test_an_unbalanced_order_of_clips_does_not_bias_the_size() -> None:
    sizes = []
    for seed in range(20):
        found = named(carry_over(turns("ab", 10, 120, after_b, seed), "ab"))
        sizes += [each.difference.value for each in found["a"].after if each.predecessor == "b"]
    assert np.mean(sizes) == pytest.approx(16, abs=2.5)


def test_false_alarms_are_at_most_as_frequent_as_stated() -> None:
    """Clips, drift, noise and stalls are no carry-over. 300 runs, two labels each."""
    runs = 300
    found = [carry_over(turns("ab", 8, 24, quiet, seed), "ab") for seed in range(runs)]
    alarms = sum(any(each.significant for each in one) for one in found)
    # More than 9 in 300 would happen by chance once in a thousand if the rate was ALPHA.
    assert alarms <= 9 and ALPHA == 0.01
    ps = [each.p for one in found for each in one]
    for level in (0.05, 0.2, 0.5):
        assert np.mean([p <= level for p in ps]) == pytest.approx(level, abs=4 * (level * (1 - level) / len(ps)) ** 0.5)


def test_carry_over_is_found_with_one_pass_over_the_corpus() -> None:
    def late_after_b(label: str, before: str, clip: str, position: int, chance: random.Random) -> float:
        return 100 * chance.lognormvariate(0, 0.05) * (1.15 if (label, before) == ("a", "b") else 1)

    found = named(carry_over(turns("ab", 60, 60, late_after_b), "ab"))
    assert found["a"].significant


def test_too_few_turns_or_one_label_give_no_estimate() -> None:
    assert carry_over(turns("ab", 8, 8, after_b), "ab") == ()
    assert carry_over(turns("a", 8, 80, quiet), "a") == ()
    assert carry_over([], "ab") == ()


def test_turns_out_of_the_planned_order_are_left_out() -> None:
    asked = turns("ab", 8, 40, quiet)
    whole = carry_over(asked, "ab")[0].n
    warm_up = make_turn(turn=99, block=-1, phase="warmup")
    at = next(index for index in range(20, 40) if asked[index].turn % 2 == 1)
    # Something else came between two positions: the position after it does not count.
    assert carry_over([*asked[:at], warm_up, *asked[at:]], "ab")[0].n == whole - 1
    # A position that is not there takes the one after it along; so does a new start, in the middle of one or before.
    assert carry_over([*asked[:20], *asked[22:]], "ab")[0].n == whole - 2
    later = [replace(turn, segment=1) if index >= 20 else turn for index, turn in enumerate(asked)]
    assert carry_over(later, "ab")[0].n == whole - 1
    # A turn without an answer is no latency, but still went before another.
    silent = [replace(turn, outcome="silent") if index == at else turn for index, turn in enumerate(asked)]
    counts = {each.label: each.n for each in carry_over(silent, "ab")}
    assert sorted(counts.values()) == [whole - 1, whole]


def test_thousands_of_turns_are_analysed_quickly() -> None:
    asked = turns("abc", 20, 5000, quiet)
    began = time.process_time()
    carry_over(asked, "abc")
    assert time.process_time() - began < 30, "the work is bounded, whatever the number of turns"


class Shared(Pipeline):
    """10 ms to the first packet, 2 more right after the label `b`."""

    before = ""
    declaration = Declaration("shared", "leaves something behind", stages=(Stage("tts", "speak"),))
    LABEL = ""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._chance = random.Random(self.LABEL)

    def load(self) -> None: ...

    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
        speech.whole()
        left_behind = 2 if Shared.before == "b" and self.LABEL == "a" else 0
        Shared.before = self.LABEL
        with trace.stage("tts"):
            took = (10 + left_behind) * self._chance.lognormvariate(0, 0.05)
            trace.clock.sleep_until_ns(trace.clock.now_ns() + round(took * MS))
        yield Packet(np.full(160, 0.2, np.float32), 16_000)


class SharedA(Shared):
    LABEL = "a"


class SharedB(Shared):
    LABEL = "b"


def test_a_run_with_carry_over_has_a_notice(tmp_path: Path) -> None:
    clips, clock = make_utterances(4), VirtualClock()
    what = scripted_manifest({"a": "hear", "b": "hear"}, clips, turns=40)
    executors = {
        label: InProcessExecutor(make_scripted(label, "hear"), clock, kind)
        for label, kind in (("a", SharedA), ("b", SharedB))
    }
    with RunWriter.create(tmp_path / "run", what) as writer:
        Manager(what, writer, executors, clips, NoProgress(), clock=clock).run((), make_segment)
    found = named(carry_over(read_run(tmp_path / "run").turns, ["a", "b"]))
    assert found["a"].significant
    assert not found["b"].significant
