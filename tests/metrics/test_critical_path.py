from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from support.fake_gpu import FakeGpu

from firstpacket.bench.metrics.critical_path import critical_path, hidden, summed
from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.bench.timing.cuda import GpuRecorder
from firstpacket.bench.timing.spans import DeviceWait, GpuSpan, HandOff, PacketStamp, StageSpan, TurnTrace
from firstpacket.bench.timing.trace import Trace

MS = 1_000_000


def owners(trace: TurnTrace, t0_ns: int) -> dict[tuple[str, str], int]:
    return {(stage, str(kind)): ns for (stage, kind), ns in summed(critical_path(trace, t0_ns)).items()}


def test_sequential_stages_are_the_critical_path() -> None:
    clock = VirtualClock(start_ns=100)
    trace = Trace(clock)
    with trace.stage("asr"):
        clock.advance(40)
    with trace.stage("llm.prefill"):
        clock.advance(20)
    clock.advance(3)
    with trace.stage("tts"):
        clock.advance(10)
    trace.packet(1, 1, trace.hand_off("tts"))
    assert owners(trace.finish(), 100) == {
        ("asr", "host"): 40,
        ("llm.prefill", "host"): 20,
        ("", "unattributed"): 3,
        ("tts", "host"): 10,
    }


def test_work_in_another_thread_counts_only_if_waited_for() -> None:
    clock = VirtualClock()
    trace = Trace(clock)
    box = clock.inbox()

    def think() -> None:
        with trace.stage("llm.decode"):
            clock.advance(30)
        box.put(trace.hand_off("llm.decode"))
        with trace.stage("llm.decode"):
            clock.advance(1000)

    thread = clock.spawn(think, "llm")
    phrase = box.get()
    clock.advance(5)
    with trace.stage("tts", after=phrase):
        clock.advance(12)
    trace.packet(1, 1, trace.hand_off("tts"))
    clock.join(thread)
    seen = trace.finish()
    path = critical_path(seen, 0)
    assert owners(seen, 0) == {("llm.decode", "host"): 30, ("tts", "queued"): 5, ("tts", "host"): 12}
    assert hidden(seen, 0, path) == {"llm.decode": 17}


def test_a_wait_belongs_to_the_stage_that_ended_it() -> None:
    clock = VirtualClock()
    trace = Trace(clock)
    box = clock.inbox()

    def detect() -> None:
        with trace.stage("endpoint"):
            clock.advance(100)
        box.put(trace.hand_off("endpoint"))

    thread = clock.spawn(detect, "endpoint")
    with trace.stage("asr"):
        clock.advance(40)
    with trace.stage("endpoint") as waiting:
        waiting.released(box.get())
        clock.advance(3)
    with trace.stage("asr"):
        clock.advance(7)
    trace.packet(1, 1, trace.hand_off("asr"))
    clock.join(thread)
    seen = trace.finish()
    assert owners(seen, 0) == {("endpoint", "host"): 100, ("endpoint", "queued"): 3, ("asr", "host"): 7}
    assert hidden(seen, 0, critical_path(seen, 0))["asr"] == 40


def test_waits_in_a_cycle_end_the_search() -> None:
    """No such thing can happen; a trace from elsewhere may still say so."""
    spans = (StageSpan("asr", 0, 0, 10, None, None, None, 1), StageSpan("tts", 1, 0, 10, None, None, None, 0))
    hand_offs = (HandOff(0, "asr", 0, 10), HandOff(1, "tts", 1, 10))
    parts = critical_path(TurnTrace(spans, hand_offs, packets=(PacketStamp(10, 1, 1, 0),)), 0)
    assert sum(part.ns for part in parts) == 10


def test_the_inner_of_two_nested_stages_owns_its_time() -> None:
    clock = VirtualClock()
    trace = Trace(clock)
    with trace.stage("llm.decode"):
        clock.advance(4)
        with trace.stage("speech_decoder"):
            clock.advance(6)
        clock.advance(2)
    trace.packet(1, 1, None)
    assert owners(trace.finish(), 0) == {("llm.decode", "host"): 6, ("speech_decoder", "host"): 6}


def test_time_before_t0_belongs_to_no_stage() -> None:
    clock = VirtualClock()
    trace = Trace(clock)
    with trace.stage("asr"):
        clock.advance(100)
    trace.packet(1, 1, None)
    assert owners(trace.finish(), 70) == {("asr", "host"): 30}


def test_an_answer_before_t0_has_no_path() -> None:
    trace = TurnTrace(packets=(PacketStamp(50, 1, 1, 0),))
    assert critical_path(trace, 60) == ()


def test_a_block_at_work_when_speech_ends_owns_the_path_until_it_is_done() -> None:
    """On the device, too: the last block's work waits there for that of the block before."""
    before = [StageSpan("encoder", 1, at, at + 1, gpu=GpuSpan(7, at, at + 9, 0)) for at in (20, 60)]
    late = StageSpan("encoder", 1, 95, 97, gpu=GpuSpan(7, 96, 110, 0))
    last = StageSpan("llm.prefill", 1, 101, 102, gpu=GpuSpan(7, 110, 118, 0))
    reads = StageSpan("copy", 1, 102, 119)
    copied = HandOff(0, "copy", 1, 119)
    seen = TurnTrace(
        (*before, late, last, reads),
        (copied,),
        (DeviceWait(1, 102, 118),),
        packets=(PacketStamp(120, 1, 1, 1, 0),),
    )
    assert owners(seen, 100) == {
        ("encoder", "gpu"): 10,
        ("llm.prefill", "gpu"): 8,
        ("copy", "host"): 1,
        ("delivery", "queued"): 1,
    }


def gpu_turn(gpu: FakeGpu, stages: list[tuple[str, int, int]]) -> tuple[TurnTrace, int]:
    """Stages `(name, host ns, device ns)` launched one after another, then one blocking read, then the packet."""
    recorder = GpuRecorder(gpu, gpu.clock)
    recorder.begin_turn()
    trace = Trace(gpu.clock, recorder)
    t0_ns = gpu.clock.now_ns()
    for name, host_ns, device_ns in stages:
        with trace.stage(name, gpu=True):
            gpu.launch(device_ns, name)
            gpu.clock.advance(host_ns)
    with trace.stage("copy"), trace.device_wait():
        gpu.synchronize()
    trace.packet(1, 1, trace.hand_off("copy"))
    recorder.end_turn()
    return trace.finish(), t0_ns


def test_a_wait_for_the_device_is_divided_among_its_stages() -> None:
    gpu = FakeGpu(VirtualClock())
    seen, t0_ns = gpu_turn(
        gpu, [("encoder", 10_000, 10 * MS), ("adaptor", 10_000, MS), ("llm.prefill", 10_000, 25 * MS)]
    )
    found = owners(seen, t0_ns)
    slack_ns = 20_000
    assert abs(found["encoder", "gpu"] - 10 * MS) < slack_ns
    assert abs(found["adaptor", "gpu"] - MS) < slack_ns
    assert abs(found["llm.prefill", "gpu"] - 25 * MS) < slack_ns
    assert sum(found.values()) == seen.packets[0].at_ns - t0_ns


def test_a_host_that_launches_too_slowly_owns_the_wait() -> None:
    gpu = FakeGpu(VirtualClock())
    seen, t0_ns = gpu_turn(gpu, [("encoder", 8 * MS, MS), ("llm.prefill", 10_000, 3 * MS)])
    found = owners(seen, t0_ns)
    assert found["encoder", "launch"] >= 7 * MS
    assert abs(found["llm.prefill", "gpu"] - 3 * MS) < 50_000
    assert found.get(("encoder", "gpu"), 0) < 50_000


# Host and device never finish at the same moment: which of two is the critical one would then be anyone's choice.
host_times = st.integers(0, 5).map(lambda number: number * MS)
device_times = st.integers(0, 9).map(lambda number: number * MS + 130_000)
stage_names = st.sampled_from(["encoder", "adaptor", "llm.prefill"])


@settings(max_examples=150)
@given(
    st.lists(st.tuples(stage_names, host_times, device_times), min_size=1, max_size=7),
    st.floats(-100, 100),
)
def test_an_asynchronous_device_gets_its_true_share(stages: list[tuple[str, int, int]], drift_ppm: float) -> None:
    gpu = FakeGpu(VirtualClock(), offset_ns=10**12, drift_ppm=drift_ppm)
    seen, t0_ns = gpu_turn(gpu, stages)
    latency_ns = seen.packets[0].at_ns - t0_ns
    found = owners(seen, t0_ns)
    assert sum(found.values()) == latency_ns
    # Each stage's share is the time until the device (or, before it was ever behind, the host) was done with it.
    # A device that is behind by less than the clock's error cannot be told from one that is not.
    error_ns = 2 * (sum(span.gpu.error_ns for span in seen.spans if span.gpu) + gpu.latency_ns)
    shares = {name: sum(ns for (stage, _), ns in found.items() if stage == name) for name, _, _ in stages}
    for name, share_ns in true_shares(seen, gpu, t0_ns).items():
        assert abs(shares[name] - share_ns) <= error_ns


def true_shares(seen: TurnTrace, gpu: FakeGpu, t0_ns: int) -> dict[str, int]:
    """An oracle that knows the device: walk back from the read, over launches that found the device busy."""
    host = sorted((span for span in seen.spans if span.stage != "copy"), key=lambda span: (span.end_ns, span.start_ns))
    shares = dict.fromkeys((span.stage for span in host), 0)
    last_on_path = len(host) - 1
    if gpu.truth[-1][2] <= host[-1].end_ns:
        first_busy = len(host)
    else:
        first_busy = last_on_path
        while first_busy > 0 and gpu.truth[first_busy][1] > host[first_busy].start_ns:
            first_busy -= 1
    for index, span in enumerate(host):
        _, start_ns, end_ns = gpu.truth[index]
        if index == first_busy:
            shares[span.stage] += end_ns - span.start_ns
        elif index > first_busy:
            shares[span.stage] += end_ns - start_ns
        else:
            shares[span.stage] += span.end_ns - span.start_ns
    return shares


times = st.integers(0, 1000)


@st.composite
def any_trace(draw: st.DrawFn) -> TurnTrace:
    """Whatever a trace could hold, sense or nonsense."""
    hand_offs = tuple(
        HandOff(number, "asr", draw(st.integers(0, 2)), draw(times)) for number in range(draw(st.integers(0, 4)))
    )
    references = st.one_of(st.none(), st.integers(0, 5))

    def stretch() -> tuple[int, int]:
        first, second = draw(times), draw(times)
        return min(first, second), max(first, second)

    def span() -> StageSpan:
        start, end = stretch()
        gpu = GpuSpan(draw(st.integers(0, 1)), *stretch(), draw(st.integers(0, 9))) if draw(st.booleans()) else None
        stage = draw(st.sampled_from(["asr", "llm.decode", "tts"]))
        return StageSpan(stage, draw(st.integers(0, 2)), start, end, draw(references), None, gpu, draw(references))

    return TurnTrace(
        spans=tuple(span() for _ in range(draw(st.integers(0, 6)))),
        hand_offs=hand_offs,
        waits=tuple(DeviceWait(draw(st.integers(0, 2)), *stretch()) for _ in range(draw(st.integers(0, 3)))),
        packets=(PacketStamp(draw(times), 1, 1, draw(st.integers(0, 2)), draw(references)),),
    )


@settings(max_examples=500)
@given(any_trace(), times)
def test_parts_are_contiguous_and_sum_to_the_latency(trace: TurnTrace, t0_ns: int) -> None:
    parts = critical_path(trace, t0_ns)
    assert sum(part.ns for part in parts) == max(0, trace.packets[0].at_ns - t0_ns)
    for before, after in pairwise(parts):
        assert before.end_ns == after.start_ns
    assert all(part.ns > 0 for part in parts)
    assert all(ns > 0 for ns in hidden(trace, t0_ns, parts).values())
