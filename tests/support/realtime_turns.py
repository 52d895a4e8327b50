"""Turns of the pipeline `realtime` against a fake server, on the virtual clock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from firstpacket.bench.options import LeaveAfter
from firstpacket.bench.record.schema import Evidence, InputMode, LabelFacts, TurnResult
from firstpacket.bench.run.executor import TurnConfig
from firstpacket.bench.run.in_process import InProcessExecutor
from firstpacket.bench.timing.clock import Clock, MonotonicClock, VirtualClock
from firstpacket.pipelines.remote.realtime import Realtime
from support.realtime_server import Script, realtime_on
from support.runs import make_system
from support.virtual import make_utterance

SECOND = 1_000_000_000


@dataclass(slots=True)
class Loaded:
    """The pipeline, loaded, and the number of turns it has had."""

    executor: InProcessExecutor
    facts: LabelFacts
    clock: Clock
    turns: int = 0

    def turn(
        self,
        input: InputMode = "realtime",
        seconds: float = 1.0,
        deadline_s: float = 5,
        leave_after: LeaveAfter = "reply",
    ) -> TurnResult:
        """One more turn, on a clip that is loud all the way."""
        self.turns += 1
        config = TurnConfig(input, round(deadline_s * SECOND), leave_after)
        return self.executor.run(self.turns, make_utterance(seconds=seconds), config)


def loaded(
    server: Script, ping_ms: float | None = 4, send_ms: float = 0, clock: VirtualClock | None = None, **options: Any
) -> Loaded:
    """The pipeline with these options, loaded from this server, on a clock of its own unless others share one."""
    clock = clock or VirtualClock()
    pipeline = realtime_on(server, clock, ping_ms=ping_ms, send_ms=send_ms)
    given = {name.replace("_", "-"): value for name, value in options.items()}
    defaults = {option.name: option.default for option in pipeline.declaration.options}
    assert given.keys() <= defaults.keys()
    chosen = {**defaults, "url": "ws://127.0.0.1:1", **given}
    declared = pipeline.declare(chosen)
    system = make_system("remote", options=chosen, stages=declared.stages)
    executor = InProcessExecutor(replace(system, finds_speech_end=declared.finds_speech_end), clock, pipeline)
    return Loaded(executor, executor.start(), clock)


def connected(url: str, **options: Any) -> Loaded:
    """The pipeline with these options, loaded from the server at this URL, on the real clock."""
    clock = MonotonicClock()
    given = {"url": url, **{name.replace("_", "-"): value for name, value in options.items()}}
    chosen = {option.name: option.default for option in Realtime.declaration.options} | given
    declared = Realtime.declare(chosen)
    system = make_system("remote", options=chosen, stages=declared.stages)
    executor = InProcessExecutor(replace(system, finds_speech_end=declared.finds_speech_end), clock, Realtime)
    return Loaded(executor, executor.start(), clock)


def after_speech_ms(result: TurnResult) -> list[tuple[str, float, float]]:
    """Its stages up to the first packet, ms after the end of speech."""
    t0_ns, until_ns = result.delivery.t0_ns, result.trace.packets[0].at_ns
    spans = sorted(result.trace.spans, key=lambda span: (span.start_ns, span.end_ns))
    return [
        (span.stage, (span.start_ns - t0_ns) / 1e6, (span.end_ns - t0_ns) / 1e6)
        for span in spans
        if span.start_ns <= until_ns and span.end_ns <= until_ns
    ]


def evidence(result: TurnResult) -> Evidence:
    """What its figures are made from."""
    seen = {name: getattr(result, name) for name in TurnResult.__slots__}
    return Evidence(**seen, label="remote", utterance="clip-1", kinds={"endpoint": "endpoint"})


def types(result: TurnResult, sent: bool) -> list[str]:
    """Types of its messages, one after another; audio that follows audio is left out."""
    found: list[str] = []
    for message in result.trace.messages:
        if message.sent == sent and found[-1:] != [message.type]:
            found.append(message.type)
    return found
