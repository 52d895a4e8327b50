"""Turns that end after their first packet: what they still measure is what whole turns measure."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.virtual import make_scripted, make_utterance, virtual_run

from firstpacket.bench.metrics.definitions import metric
from firstpacket.bench.pipeline import Declaration, Packet, Pipeline, Speech
from firstpacket.bench.recompute import recompute
from firstpacket.bench.record.schema import Turn, TurnResult
from firstpacket.bench.record.store import Run, read_run
from firstpacket.bench.run.executor import TurnConfig
from firstpacket.bench.run.in_process import InProcessExecutor
from firstpacket.bench.run.profiling import patient
from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.bench.vocabulary import Flag

STREAMED = (
    "hear; asr 40; llm.prefill 20 token; llm.decode 30; send; llm.decode 50; send"
    " | take; tts 10; packet 200; take; tts 900; packet 300"
)
LOUD = np.full(1600, 0.3, np.float32)


def made(folder: Path, script: str, **options: Any) -> Run:
    return read_run(virtual_run(folder, {"a": script}, **options))


def last(run: Run) -> Turn:
    return run.turns[-1]


def test_a_turn_that_is_left_measures_the_same_up_to_its_first_packet(tmp_path: Path) -> None:
    whole = last(made(tmp_path / "whole", STREAMED))
    left = last(made(tmp_path / "left", STREAMED, leave_after="first_packet"))
    assert whole.flags == ()
    assert (left.outcome, left.flags) == ("answered", (Flag.LEFT_EARLY,))
    assert (left.path, left.hidden) == (whole.path, whole.hidden)
    assert left.figures == {name: ns for name, ns in whole.figures.items() if metric(name).known_at_first_packet}
    assert left.figures.keys() == {
        "first_packet_latency", "llm_start", "llm_ttft", "llm_first_token_latency", "last_frame_delay", "request_delay",
        "recordings",
    }  # fmt: skip
    assert whole.figures.keys() > left.figures.keys() | {"response_latency", "reply_audio", "rtf_e2e", "stage.tts.host"}


def test_the_rest_of_the_reply_is_not_waited_for(tmp_path: Path) -> None:
    run = made(tmp_path / "run", "hear; tts 10; packet 200; tts 900; packet 300", leave_after="first_packet")
    began_ns = [run.evidence(turn).delivery.t0_ns for turn in run.turns]
    assert run.turns[0].phase == "cold", "is whole: it shows whether the system answers audibly"
    assert {after - before for before, after in pairwise(began_ns[1:])} == {10_000_000}
    assert began_ns[1] - began_ns[0] == 910_000_000


def test_a_silent_first_packet_is_an_answer_since_the_rest_may_be_audible(tmp_path: Path) -> None:
    script = "hear; tts 5; silence 300"
    assert last(made(tmp_path / "whole", script)).outcome == "silent"
    assert last(made(tmp_path / "left", script, leave_after="first_packet")).outcome == "answered"


@pytest.mark.parametrize(("script", "outcome"), [("hear; tts 5", "silent"), ("hear; raise", "failed")])
def test_without_a_packet_there_is_nothing_to_leave(tmp_path: Path, script: str, outcome: str) -> None:
    turn = last(made(tmp_path / "run", script, leave_after="first_packet"))
    assert (turn.outcome, turn.flags) == (outcome, ())


def test_figures_of_turns_that_were_left_are_derived_again(tmp_path: Path) -> None:
    assert recompute(made(tmp_path / "run", STREAMED, leave_after="first_packet")).equal


def test_a_profiled_turn_is_whole() -> None:
    assert patient(TurnConfig("file", 1, "first_packet")).leave_after == "reply"


class Speaking(Pipeline):
    """Gives packets until it is closed; a thread of its own works meanwhile."""

    declaration = Declaration("speaking", "never ends by itself")
    problem: Exception | None = None

    def load(self) -> None:
        self.threads: list[threading.Thread] = []

    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
        stopped = threading.Event()
        self.threads.append(threading.Thread(target=stopped.wait, daemon=True))
        self.threads[-1].start()
        try:
            while True:
                yield Packet(LOUD, 16_000)
        finally:
            stopped.set()
            self.threads[-1].join()
            if self.problem is not None:
                raise self.problem


def answered(pipeline: type[Speaking]) -> tuple[TurnResult, Speaking]:
    executor = InProcessExecutor(make_scripted("speaking", ""), VirtualClock(), pipeline)
    executor.start()
    result = executor.run(1, make_utterance(), TurnConfig("file", 10**10, "first_packet"))
    assert isinstance(executor._pipeline, Speaking)
    return result, executor._pipeline


def test_a_reply_that_is_left_is_closed_and_its_threads_have_ended() -> None:
    result, pipeline = answered(Speaking)
    assert (result.outcome, len(result.trace.packets), result.flags) == ("answered", 1, (Flag.LEFT_EARLY,))
    assert not any(thread.is_alive() for thread in pipeline.threads)


def test_a_reply_that_cannot_be_left_fails_its_turn() -> None:
    class Stubborn(Speaking):
        problem = RuntimeError("the voice is stuck")

    result, _ = answered(Stubborn)
    assert (result.outcome, result.reason) == ("failed", "RuntimeError: the voice is stuck")
