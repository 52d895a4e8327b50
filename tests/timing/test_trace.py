from __future__ import annotations

from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.bench.timing.trace import Trace


def test_a_trace_records_stages_hand_offs_and_packets() -> None:
    clock = VirtualClock(start_ns=1_000)
    trace = Trace(clock)
    with trace.stage("asr"):
        clock.advance(40)
    heard = trace.hand_off("asr")
    clock.advance(7)
    with trace.stage("llm.prefill", after=heard) as span:
        clock.advance(20)
        span.first_output()
        clock.advance(5)
        span.first_output()
    trace.text("transcript", "hello")
    said = trace.hand_off("llm.prefill")
    trace.packet(160, 16_000, said)

    seen = trace.finish()

    asr, llm = seen.spans
    assert (asr.stage, asr.start_ns, asr.end_ns, asr.after) == ("asr", 1_000, 1_040, None)
    assert (llm.stage, llm.start_ns, llm.end_ns, llm.first_output_ns) == ("llm.prefill", 1_047, 1_072, 1_067)
    assert llm.after == heard.id
    assert seen.texts[0].text == "hello"
    assert (seen.packets[0].at_ns, seen.packets[0].after) == (1_072, said.id)
    assert seen.texts[0].at_ns == 1_072
    assert seen.events == 2 * 2 + 1 + 2 + 1 + 1


def test_a_wait_leaves_a_span_only_if_it_is_kept() -> None:
    clock = VirtualClock()
    trace = Trace(clock)
    waits = []
    for _ in range(3):
        with trace.stage("endpoint") as waiting:
            clock.advance(20)
            waiting.discard()
        waits.append(waiting)
    waits[1].keep()
    waits[1].keep()
    (kept,) = trace.finish().spans
    assert (kept.start_ns, kept.end_ns) == (20, 40)


def test_stages_in_two_threads_keep_their_own_time() -> None:
    clock = VirtualClock()
    trace = Trace(clock)

    def think() -> None:
        with trace.stage("llm.decode"):
            clock.advance(100)

    thread = clock.spawn(think, "llm")
    with trace.stage("tts"):
        clock.advance(30)
    clock.join(thread)
    spans = {span.stage: span for span in trace.finish().spans}
    assert (spans["tts"].start_ns, spans["tts"].end_ns) == (0, 30)
    assert (spans["llm.decode"].start_ns, spans["llm.decode"].end_ns) == (0, 100)
    assert spans["tts"].thread != spans["llm.decode"].thread


def test_a_stage_that_raises_is_still_seen() -> None:
    clock = VirtualClock()
    trace = Trace(clock)
    try:
        with trace.stage("asr"):
            clock.advance(9)
            raise RuntimeError
    except RuntimeError:
        pass
    assert trace.finish().spans[0].end_ns == 9


def test_gpu_stages_cost_nothing_without_a_gpu() -> None:
    clock = VirtualClock()
    trace = Trace(clock)
    with trace.stage("encoder", gpu=True):
        clock.advance(1)
    assert trace.finish().spans[0].gpu is None
