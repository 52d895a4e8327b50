"""What recording one event costs in this process, measured within a few milliseconds.

The caches are flushed before every recording, as models running between two recordings would do. The figure includes
reading the clock twice, so it errs on the high side.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from firstpacket.bench.timing.clock import Clock
from firstpacket.bench.timing.cuda import GpuRecorder
from firstpacket.bench.timing.trace import Ranges, Trace

ROUNDS = 15
SWEPT_BYTES = 4 << 20
"""More than the caches that belong to one core."""


def event_cost_ns(clock: Clock, gpu: GpuRecorder | None = None, ranges: Ranges | None = None) -> int:
    """Nanoseconds of the most expensive kind of recording, median of several rounds.

    `gpu` includes recording GPU events, `ranges` the cost of notifying a profiler.
    """
    swept = np.zeros(SWEPT_BYTES // 8)
    if gpu is not None:
        gpu.begin_turn()
    rounds: list[list[float]] = []
    for _ in range(ROUNDS):
        costs = []
        for events, recording in _kinds(Trace(clock, gpu, ranges), gpu is not None):
            swept += 1
            begin_ns = time.perf_counter_ns()
            recording()
            costs.append((time.perf_counter_ns() - begin_ns) / events)
        rounds.append(costs)
    if gpu is not None:
        gpu.end_turn()
    medians = [statistics.median(costs) for costs in zip(*rounds, strict=True)]
    return int(max(medians)) + 1


def _kinds(trace: Trace, gpu: bool) -> list[tuple[int, Callable[[], object]]]:
    """Each kind of recording, with the number of events that it counts as (`TurnTrace.events`)."""
    hand_off = trace.hand_off("stage")

    def stage() -> None:
        with trace.stage("stage", after=hand_off, gpu=gpu) as span:
            span.first_output()

    def wait() -> None:
        with trace.device_wait():
            pass

    return [
        (5 if gpu else 3, stage),
        *([(2, wait)] if gpu else []),
        (1, lambda: trace.hand_off("stage")),
        (1, lambda: trace.mark("mark")),
        (1, lambda: trace.text("partial", "what was said so far is about as long as this sentence is")),
        (1, lambda: trace.packet(160, 16_000, hand_off)),
    ]
