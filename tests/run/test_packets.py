"""Packets that a pipeline may not yield, and the errors for them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from support.virtual import make_scripted, make_utterance

from firstpacket.bench.pipeline import Declaration, Packet, Pipeline, Speech
from firstpacket.bench.run.executor import TurnConfig, TurnResult
from firstpacket.bench.run.in_process import InProcessExecutor
from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.bench.timing.trace import Trace

LOUD = np.full(1600, 0.3, np.float32)


def answer(give: Callable[[], Iterator[Any]]) -> TurnResult:
    class Giver(Pipeline):
        declaration = Declaration("giver", "gives what it is told")

        def load(self) -> None: ...

        def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
            yield from give()

    executor = InProcessExecutor(make_scripted("giver", ""), VirtualClock(), Giver)
    executor.start()
    return executor.run(1, make_utterance(), TurnConfig("file", 10**10), "")


@pytest.mark.parametrize(
    ("packets", "reason"),
    [
        ([LOUD], "ndarray instead of a Packet"),
        ([Packet((LOUD * 30_000).astype(np.int16), 16_000)], "must have float32"),  # type: ignore[arg-type]
        ([Packet(LOUD.reshape(2, -1), 16_000)], r"\(2, 800\)"),
        ([Packet(LOUD[:0], 16_000)], r"\(0,\)"),
        ([Packet(LOUD, 0)], "sample rate 0;"),
        ([Packet(LOUD, 16_000), Packet(LOUD, 24_000)], "24000 Hz, but the first one had 16000 Hz"),
        ([Packet(LOUD * np.float32("nan"), 16_000)], "NaN or infinite"),
    ],
)
def test_unplayable_packets_fail_the_turn(packets: list[Any], reason: str) -> None:
    result = answer(lambda: iter(packets))
    assert result.outcome == "failed"
    assert re.search(reason, result.reason)


def test_a_list_of_packets_is_as_good_as_a_generator() -> None:
    assert answer(lambda: iter([Packet(LOUD, 16_000)])).outcome == "answered"
