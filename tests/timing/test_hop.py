from __future__ import annotations

import pytest

from firstpacket.bench.metrics.critical_path import critical_path, summed
from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.bench.timing.spans import StageSpan
from firstpacket.bench.timing.trace import Trace


def _hop(left_ns: int, returned_ns: int) -> tuple[StageSpan, ...]:
    clock = VirtualClock(start_ns=100)
    trace = Trace(clock)
    with trace.hop("tts.hop") as hop:
        clock.advance(50)
        hop.worked(left_ns, returned_ns)
    return trace.finish().spans


def test_a_hop_is_the_time_without_the_other_process_work() -> None:
    there, back = _hop(110, 140)
    assert (there.stage, there.start_ns, there.end_ns) == ("tts.hop", 100, 110)
    assert (back.stage, back.start_ns, back.end_ns) == ("tts.hop", 140, 150)


@pytest.mark.parametrize(("left_ns", "returned_ns"), [(90, 160), (100, 150), (160, 200), (20, 30), (140, 120)])
def test_stamps_from_elsewhere_never_leave_the_body(left_ns: int, returned_ns: int) -> None:
    for span in _hop(left_ns, returned_ns):
        assert 100 <= span.start_ns < span.end_ns <= 150


def test_without_reported_work_the_whole_time_is_the_hop() -> None:
    clock = VirtualClock()
    trace = Trace(clock)
    with trace.hop("tts.hop"):
        clock.advance(50)
    (span,) = trace.finish().spans
    assert (span.start_ns, span.end_ns) == (0, 50)


def test_on_the_critical_path_the_stage_around_it_keeps_the_work() -> None:
    clock = VirtualClock()
    trace = Trace(clock)
    with trace.stage("llm.decode"):
        clock.advance(5)
    thought = trace.hand_off("llm.decode")
    clock.advance(2)
    with trace.stage("tts", after=thought):
        clock.advance(1)
        with trace.hop("tts.hop") as hop:
            clock.advance(50)
            hop.worked(10, 55)
    trace.packet(1, 1, trace.hand_off("tts"))
    owners = summed(critical_path(trace.finish(), 0))
    assert owners == {
        ("llm.decode", "host"): 5,
        ("tts", "queued"): 2,
        ("tts", "host"): 1 + 45,
        ("tts.hop", "host"): 2 + 3,
    }
