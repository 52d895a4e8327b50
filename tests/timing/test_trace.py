from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from firstpacket.bench.codec import encode
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


def test_a_wait_is_recorded_only_on_request() -> None:
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


def test_a_hand_off_of_an_earlier_turn_is_refused() -> None:
    clock = VirtualClock()
    earlier, trace = Trace(clock).hand_off("asr"), Trace(clock)
    clock.advance(1)
    trace.hand_off("llm")
    with trace.stage("tts", after=earlier):
        pass
    with pytest.raises(ValueError, match=r"stage 'tts' names .* which is none of this turn"):
        trace.finish()


def test_a_packet_after_an_earlier_turns_hand_off_is_refused() -> None:
    clock = VirtualClock()
    trace = Trace(clock)
    trace.packet(160, 16_000, Trace(clock).hand_off("tts"))
    with pytest.raises(ValueError, match="a packet names"):
        trace.finish()


def test_a_stage_that_is_entered_twice_is_refused() -> None:
    trace = Trace(VirtualClock())
    stage = trace.stage("tts")
    for _ in range(2):
        with stage:
            pass
    with pytest.raises(ValueError, match="entered more than once"):
        trace.finish()


def test_an_endless_text_is_refused() -> None:
    with pytest.raises(ValueError, match="1,000,001 characters"):
        Trace(VirtualClock()).text("reply", "x" * 1_000_001)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (lambda trace: trace.stage(3), "a stage's name must be text"),
        (lambda trace: trace.hand_off(None), "a stage's name must be text"),
        (lambda trace: trace.mark(b"endpoint"), "a mark's name must be text"),
        (lambda trace: trace.text("transcript", None), r"the transcript must be text \(str\), but is NoneType"),
        (lambda trace: trace.usage(3.5, 4), "float"),
    ],
)
def test_records_of_the_wrong_type_are_refused_where_they_are_made(record: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        record(Trace(VirtualClock()))


def test_counts_may_be_numpy_integers_and_texts_numpy_strings() -> None:
    trace = Trace(VirtualClock())
    trace.usage(np.int64(5), np.int32(7))
    trace.text("reply", np.str_("hello"))
    seen = json.loads(json.dumps(encode(trace.finish())))
    assert (seen["usage"]["prompt_tokens"], seen["usage"]["reply_tokens"]) == (5, 7)
    assert seen["texts"][0]["text"] == "hello"
