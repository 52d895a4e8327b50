"""What a pipeline does before a turn, and how a turn ends that it could not prepare."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from support.virtual import make_scripted, make_utterance

from firstpacket.bench.errors import WeightsError
from firstpacket.bench.metrics.figures import turn_figures
from firstpacket.bench.pipeline import Declaration, Packet, Pipeline, Speech, Stage, TurnEnded
from firstpacket.bench.record.schema import Evidence, TurnResult
from firstpacket.bench.run.executor import TurnConfig
from firstpacket.bench.run.in_process import InProcessExecutor
from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.bench.timing.spans import Message, Session
from firstpacket.bench.timing.trace import Trace

SECOND = 1_000_000_000


class Remote(Pipeline):
    """Connects for 300 ms before every turn, waits for 200 ms in it, and says what a server said."""

    declaration = Declaration("remote", "answers elsewhere", "remote", stages=(Stage("wait", "opaque"),))
    ended: TurnEnded | Exception | None = None
    fails_in = "prepare"

    def load(self) -> None: ...

    def prepare(self, trace: Trace) -> None:
        begun = trace.clock.now_ns()
        trace.clock.sleep_until_ns(begun + 300_000_000)
        trace.session(Session(begun, begun + 200_000_000, trace.clock.now_ns()))
        trace.round_trip(7_000_000)
        trace.round_trip(5_000_000)
        if self.ended is not None and self.fails_in == "prepare":
            raise self.ended

    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
        speech.whole()
        if self.ended is not None:
            raise self.ended
        sent = trace.clock.now_ns()
        trace.message(Message(True, "commit", sent, 12, done_ns=sent))
        trace.clock.sleep_until_ns(sent + 200_000_000)
        trace.record("wait", sent, trace.clock.now_ns())
        trace.server_says("stt", 90_000_000)
        yield Packet(np.full(1600, 0.1, np.float32), 16_000, trace.hand_off("wait"))


def one_turn(ended: TurnEnded | Exception | None = None, fails_in: str = "prepare") -> TurnResult:
    class Ending(Remote):
        pass

    Ending.ended, Ending.fails_in = ended, fails_in
    executor = InProcessExecutor(make_scripted("a", "hear"), VirtualClock(), Ending)
    executor.start()
    return executor.run(0, make_utterance(), TurnConfig("file", 5 * SECOND))


def test_preparing_is_no_part_of_the_turn() -> None:
    result = one_turn()
    found = turn_figures(
        Evidence(**{name: getattr(result, name) for name in TurnResult.__slots__}, label="a", utterance="clip")
    )
    assert found.figures["first_packet_latency"] == 200_000_000
    assert [(part.stage, part.kind, part.ns) for part in found.path] == [("wait", "host", 200_000_000)]
    assert found.figures["session_setup"] == 300_000_000
    assert found.figures["round_trip"] == 5_000_000
    assert found.figures["server.stt"] == 90_000_000
    assert [message.type for message in result.trace.messages] == ["commit"]


@pytest.mark.parametrize("where", ["prepare", "respond"])
def test_a_pipeline_can_end_a_turn_with_an_outcome(where: str) -> None:
    result = one_turn(TurnEnded("busy", "the server has no free session"), where)
    assert (result.outcome, result.reason) == ("busy", "the server has no free session")
    assert result.trace.session is not None, "what was seen before is kept"


def test_an_error_for_people_is_its_own_reason() -> None:
    assert one_turn(WeightsError("The model is gone.")).reason == "The model is gone."


def test_an_error_while_preparing_fails_the_turn() -> None:
    result = one_turn(ValueError("no such host"))
    assert (result.outcome, result.reason) == ("failed", "ValueError: no such host")


def test_connections_to_several_servers_are_one_session() -> None:
    trace = Trace(VirtualClock())
    trace.session(Session(10, 20, 30))
    trace.session(Session(40, 50, 60, renewed=True))
    assert trace.finish().session == Session(10, 50, 60, renewed=True)
