"""What the instrument adds to the first packet: turns with and without it in pairs, and the bound that runs state.

`OMP_WAIT_POLICY=PASSIVE make bench` prints a line per demo pipeline. The bound is cost per recording x recordings
(`bench/overhead.py`); the pairs would contradict it if their whole interval lay above it. With some tens of pairs the
interval is far wider than the overhead: it can catch a gross error of the bound, not measure the overhead itself.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from firstpacket.bench import registry
from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.metrics.figures import recordings
from firstpacket.bench.pipeline import Packet, Pipeline, Samples, Settings
from firstpacket.bench.run.speech import HeardSpeech
from firstpacket.bench.stats.bootstrap import Estimate
from firstpacket.bench.stats.paired import paired_ratio
from firstpacket.bench.timing.clock import Clock, MonotonicClock, VirtualClock
from firstpacket.bench.timing.cost import event_cost_ns
from firstpacket.bench.timing.spans import HandOff
from firstpacket.bench.timing.trace import Trace

CLOCK = MonotonicClock()
PAIRS, GOAL = 40, 0.005


class Nothing:
    """A stage, a hop or a wait of which no record is made."""

    def first_output(self) -> None: ...

    def discard(self) -> None: ...

    def keep(self) -> None: ...

    def released(self, hand_off: HandOff | None) -> None: ...

    def worked(self, start_ns: int, end_ns: int) -> None: ...

    def __enter__(self) -> Nothing:
        return self

    def __exit__(self, *_: object) -> None: ...


class Off(Trace):
    """A trace that records nothing and reads no clock."""

    _nothing, _hand_off = Nothing(), HandOff(0, "", 0, 0)

    def stage(self, stage: str, **_: Any) -> Any:
        return self._nothing

    def hop(self, stage: str) -> Any:
        return self._nothing

    def hand_off(self, stage: str) -> HandOff:
        return self._hand_off

    def device_wait(self) -> AbstractContextManager[None]:
        return nullcontext()

    def mark(self, name: str) -> None: ...

    def text(self, kind: str, text: str) -> None: ...


Turn = Callable[[Trace], Iterator[Packet]]


def first_packet_ns(turn: Turn, trace: Trace) -> int:
    begin_ns = trace.clock.now_ns()
    packets = turn(trace)
    packet = next(packets)
    trace.packet(len(packet.samples), packet.sample_rate, packet.after)
    taken_ns = trace.clock.now_ns() - begin_ns
    packets.close()  # type: ignore[attr-defined]
    return taken_ns


def on_over_off(turn: Turn, pairs: int, on: Callable[[Clock], Trace] = Trace, clock: Clock = CLOCK) -> Estimate:
    """Ratio of the times to the first packet, in pairs of alternating order."""
    taken: dict[Any, list[float]] = {on: [], Off: []}
    for pair in range(pairs):
        for way in (on, Off) if pair % 2 else (Off, on):
            taken[way].append(first_packet_ns(turn, way(clock)))
    found = paired_ratio(taken[Off], taken[on], range(pairs))
    assert found is not None
    return found


def bound(turn: Turn, cost_ns: int, clock: Clock = CLOCK) -> float:
    """What `bench show` would state for such a turn: dearest cost x recordings, over the time to the first packet."""
    trace = Trace(clock)
    begin_ns = clock.now_ns()
    taken_ns = first_packet_ns(turn, trace)
    return cost_ns * recordings(trace.finish(), begin_ns, begin_ns + taken_ns) / taken_ns


def contradicts(pairs: Estimate, at_most: float) -> bool:
    """Whether even the low end of the interval lies above the bound."""
    assert pairs.interval is not None
    return pairs.interval.low - 1 > at_most


def loaded(name: str) -> Pipeline:
    declaration, options = registry.check_options(name, {"weights": "dummy"})
    if registry.missing(declaration):
        pytest.skip(f"{name} is not installed")
    pipeline = registry.pipeline(name)(Settings(options=options))
    pipeline.load()
    return pipeline


@pytest.mark.parametrize("name", ["direct", "cascade"])
def test_the_demo_pipelines_pay_what_is_stated(
    benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    speech = load_corpus("demo", limit=1).utterances[0].speech()
    pipeline = loaded(name)

    def turn(trace: Trace) -> Iterator[Packet]:
        return pipeline.respond(heard(speech, CLOCK), trace)

    try:
        for _ in range(3):
            first_packet_ns(turn, Off(CLOCK))
        at_most = bound(turn, event_cost_ns(CLOCK))
        pairs = benchmark.pedantic(on_over_off, (turn, PAIRS), rounds=1)
    finally:
        pipeline.close()
    low, high = pairs.interval.low - 1, pairs.interval.high - 1
    line = f"{name}: bound {at_most:.3%} (goal {GOAL:.1%}); pairs {pairs.value - 1:+.2%} ({low:+.2%} to {high:+.2%})"
    benchmark.extra_info["overhead"] = line
    with capsys.disabled():
        sys.stdout.write(f"\n{line}")
    assert at_most < GOAL
    assert not contradicts(pairs, at_most)


def heard(samples: Samples, clock: Clock) -> HeardSpeech:
    speech = HeardSpeech(clock, "en")
    speech.hear(samples)
    speech.end()
    return speech


COST_NS = 10_000


class Costly(Trace):
    """An instrument whose hand-offs cost what each recording is bounded by, times `factor`."""

    factor = 1

    def hand_off(self, stage: str) -> HandOff:
        self.clock.sleep_until_ns(self.clock.now_ns() + self.factor * COST_NS)
        return super().hand_off(stage)


class CostlyBeyond(Costly):
    """More than all recordings of the turn may cost together."""

    factor = 20


@pytest.mark.parametrize(("instrument", "found"), [(Costly, False), (CostlyBeyond, True)])
def test_pairs_contradict_a_bound_that_is_too_low_and_no_other(instrument: type[Trace], found: bool) -> None:
    """On the virtual clock, so that nothing but the instrument takes time."""
    clock = VirtualClock()
    pipeline = registry.pipeline("scripted")(Settings(options={"script": "hear; tts 3; packet 50"}))

    def turn(trace: Trace) -> Iterator[Packet]:
        return pipeline.respond(heard(np.zeros(160, np.float32), clock), trace)

    assert contradicts(on_over_off(turn, 12, instrument, clock), bound(turn, COST_NS, clock)) is found
