"""The critical path gives the wait for the first packet to its true owner, on a device with its own clock.

A pipeline is drawn: stages that launch work and go on at once, on two streams, that follow other stages' results or do
not, and that read theirs back inside, afterwards or never. The oracle below knows when each piece of work really began
and ended, and what it had been waiting for; the critical path has only events on a clock that is offset and drifts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st
from support.fake_gpu import FakeEvent, FakeGpu

from firstpacket.bench.metrics.critical_path import critical_path, summed
from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.bench.timing.cuda import GpuRecorder
from firstpacket.bench.timing.spans import TurnTrace
from firstpacket.bench.timing.trace import HandOff, Trace

MS = 1_000_000


@dataclass(frozen=True)
class Step:
    """One stage: launches `device_ns` of work on a stream, then is busy on the host for `host_ns`."""

    stage: str
    stream: int
    follows: bool
    """Whether its work needs the step before's."""
    device_ns: int
    host_ns: int
    reads: Literal["inside", "after", "never"]


@dataclass
class Work:
    """A piece of work as it really was; `held_up_by` is what it waited for, if the device was the reason."""

    stage: str
    start_ns: int
    end_ns: int
    held_up_by: Work | None


@dataclass
class Stretch:
    """What the host really did: worked for a stage, or waited for a piece of work."""

    start_ns: int
    end_ns: int
    stage: str = ""
    waited_for: Work | None = None


@dataclass
class Turn:
    """Performs steps on a fake device, and writes down the truth."""

    gpu: FakeGpu
    stretches: list[Stretch] = field(default_factory=list)
    last_on: dict[int, Work] = field(default_factory=dict)

    def launch(self, step: Step, needed: Work | None) -> Work:
        now_ns = self.gpu.clock.now_ns()
        before = [work for work in (self.last_on.get(step.stream), needed) if work and work.end_ns > now_ns]
        if needed is not None:
            self.gpu.stream_waits(FakeEvent(needed.end_ns))
        self.gpu.launch(step.device_ns, step.stage)
        _, start_ns, end_ns = self.gpu.truth[-1]
        work = Work(step.stage, start_ns, end_ns, max(before, key=lambda each: each.end_ns, default=None))
        self.last_on[step.stream] = work
        return work

    def work(self, stage: str, ns: int) -> None:
        begin_ns = self.gpu.clock.now_ns()
        self.gpu.clock.advance(ns)
        self.stretches.append(Stretch(begin_ns, begin_ns + ns, stage))

    def read(self, work: Work, trace: Trace) -> None:
        begin_ns = self.gpu.clock.now_ns()
        with trace.device_wait():
            self.gpu.clock.sleep_until_ns(work.end_ns)
        self.stretches.append(Stretch(begin_ns, self.gpu.clock.now_ns(), waited_for=work))


def perform(gpu: FakeGpu, steps: list[Step]) -> tuple[TurnTrace, int, Turn]:
    """The turn's trace, its t0, and the truth."""
    recorder = GpuRecorder(gpu, gpu.clock)
    recorder.begin_turn()
    trace, turn = Trace(gpu.clock, recorder), Turn(gpu)
    t0_ns = gpu.clock.now_ns()
    work: Work | None = None
    let_go: HandOff | None = None
    for step in steps:
        gpu.stream = step.stream
        needed = work if step.follows else None
        if needed is not None:
            gpu.stream_waits(FakeEvent(needed.end_ns))
        with trace.stage(step.stage, gpu=True, after=let_go if step.follows else None):
            work = turn.launch(step, needed)
            turn.work(step.stage, step.host_ns)
            if step.reads == "inside":
                turn.read(work, trace)
        if step.reads == "after":
            turn.read(work, trace)
        let_go = trace.hand_off(step.stage)
    assert work is not None
    with trace.stage("copy"):
        turn.read(work, trace)
    trace.packet(1, 1, trace.hand_off("copy"))
    recorder.end_turn()
    return trace.finish(), t0_ns, turn


def true_owners(turn: Turn, t0_ns: int) -> Counter[str]:
    """Walk back from the last read: through the work that was waited for to what held it up, or to who launched it."""
    owned: Counter[str] = Counter()
    now_ns = turn.stretches[-1].end_ns
    while now_ns > t0_ns:
        stretch = next(each for each in reversed(turn.stretches) if each.start_ns < now_ns)
        work = stretch.waited_for
        if work is None:
            owned[stretch.stage] += now_ns - stretch.start_ns
            now_ns = stretch.start_ns
            continue
        while work is not None:
            owned[work.stage] += now_ns - work.start_ns
            now_ns, work = work.start_ns, work.held_up_by
    return owned


def never_together(drawn: list[Step]) -> list[Step]:
    """Which of two that end together is critical is anyone's choice.

    So hosts take whole milliseconds, and the device's fractions of one have different sums for any two sets of steps.
    """
    return [replace(step, device_ns=step.device_ns + (15_000 << place)) for place, step in enumerate(drawn)]


steps = st.lists(
    st.builds(
        Step,
        stage=st.sampled_from(["encoder", "llm.prefill", "llm.decode", "vocoder"]),
        stream=st.integers(0, 1),
        follows=st.booleans(),
        device_ns=st.integers(0, 9).map(lambda number: number * MS),
        host_ns=st.integers(0, 5).map(lambda number: number * MS),
        reads=st.sampled_from(["inside", "after", "never"]),
    ),
    min_size=1,
    max_size=6,
).map(never_together)


@settings(max_examples=400)
@given(steps, st.integers(-(10**15), 10**15), st.floats(-200, 200), st.floats(-0.1, 0.1))
def test_time_goes_to_its_true_owner_whatever_the_device_clock(
    drawn: list[Step], offset_ns: int, drift_ppm: float, wander: float
) -> None:
    gpu = FakeGpu(VirtualClock(), offset_ns, drift_ppm, wander)
    seen, t0_ns, turn = perform(gpu, drawn)
    found: Counter[str] = Counter()
    for (stage, _), ns in summed(critical_path(seen, t0_ns)).items():
        found[stage] += ns
    assert found.total() == seen.packets[0].at_ns - t0_ns
    error_ns = 2 * sum(span.gpu.error_ns for span in seen.spans if span.gpu is not None)
    truth = true_owners(turn, t0_ns)
    for stage in truth.keys() | found.keys():
        assert abs(found[stage] - truth[stage]) <= error_ns, (stage, truth, found)
