"""One turn of an engine or a pipeline that uses a server, as a worker performs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Timer

import numpy as np

from firstpacket.bench.pipeline import Declaration, Packet, Pipeline, Samples, Settings, Speech
from firstpacket.bench.record.schema import TurnResult
from firstpacket.bench.run.speech import HeardSpeech
from firstpacket.bench.run.turn import perform, prepared
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.engines import ASR, TTS

DEADLINE_S = 10.0
CLIP = np.linspace(-0.5, 0.5, 1600, dtype=np.float32)


class Speaking(Pipeline):
    """A voice alone, as a pipeline: it says one phrase, or several."""

    declaration = Declaration(name="speaking", summary="Says what it is given.")

    def __init__(self, engine: TTS, *phrases: str) -> None:
        super().__init__(Settings())
        self.engine, self.phrases = engine, phrases or ("Good morning.",)

    def load(self) -> None: ...

    def prepare(self, trace: Trace) -> None:
        self.engine.prepare(trace)

    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
        speech.whole()
        for phrase in self.phrases:
            for samples, rate in self.engine.speak(phrase, trace):
                yield Packet(samples, rate)


class Listening(Pipeline):
    """A recogniser alone, as a pipeline: its transcript is a text of the trace."""

    declaration = Declaration(name="listening", summary="Writes down what it hears.")

    def __init__(self, engine: ASR) -> None:
        super().__init__(Settings())
        self.engine = engine

    def load(self) -> None: ...

    def prepare(self, trace: Trace) -> None:
        self.engine.prepare(trace)

    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
        trace.text("transcript", self.engine.transcribe(speech, trace))
        yield Packet(np.full(160, 0.1, np.float32), 16_000)


def turn(
    pipeline: Pipeline, clip: Samples = CLIP, deadline_s: float = DEADLINE_S, then: Callable[[], object] = lambda: None
) -> tuple[TurnResult, list[tuple[Samples, int]]]:
    """The turn's result and its reply, packet by packet; `then` is called at its first packet."""
    speech = HeardSpeech(MonotonicClock(), "en")
    speech.hear(clip)
    speech.end()
    trace = Trace(MonotonicClock(), cancellation=speech.cancellation)
    unprepared = prepared(pipeline, trace)
    deadline = Timer(deadline_s, speech.cancel)
    deadline.daemon = True
    deadline.start()
    try:
        return perform(7, pipeline, speech, trace, None, lambda _: then(), unprepared=unprepared)
    finally:
        deadline.cancel()
