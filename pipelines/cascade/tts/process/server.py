"""The voice's side: loads one engine and speaks with it. Run as
`python -m firstpacket.pipelines.cascade.tts.process.server FD`."""

from __future__ import annotations

import os
import traceback
from collections.abc import Generator
from contextlib import closing
from typing import Any

import numpy as np

import firstpacket.pipelines.cascade.tts.process.protocol as protocol
from firstpacket.bench import errors, registry
from firstpacket.bench.errors import BenchError
from firstpacket.bench.ipc import Channel, Closed, parent
from firstpacket.bench.pipeline import Samples, Settings
from firstpacket.bench.sanitize import clean, reason
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace

_CLOCK = MonotonicClock()


def main() -> None:
    """Serve the parent at the other end of the socket whose descriptor is the only argument, until it hangs up."""
    line = parent(protocol.MESSAGES)
    try:
        message = line.receive()
        if isinstance(message, protocol.Load) and (engine := _loaded(line, message)) is not None:
            _serve(line, engine)
    except Closed:
        pass
    os._exit(0)  # leftover threads of a library must not keep the process alive


def _loaded(line: Channel, asked: protocol.Load) -> Any:
    """The engine, or `None` after it was refused."""
    try:
        settings = Settings(asked.device, asked.dtype, asked.seed, asked.options)
        engine = registry.engine("tts", asked.engine)(settings)
        engine.load()
        answer = protocol.Ready(engine.weights(), dict(engine.facts()))
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        said = clean(str(error)) if isinstance(error, BenchError) else reason(error)
        line.send(protocol.Refused(_kind(error), said))
        return None
    line.send(answer)
    return engine


def _kind(error: BaseException) -> str:
    """The nearest class of `firstpacket.bench.errors` that is made from its message alone."""
    kinds = (errors.MissingDependency, errors.WeightsError, errors.UsageError)
    return next((kind.__name__ for kind in kinds if isinstance(error, kind)), BenchError.__name__)


def _serve(line: Channel, engine: Any) -> None:
    """Phrase after phrase; while none is being spoken, only `speak` means anything."""
    try:
        while True:
            message = line.receive()
            if isinstance(message, protocol.Speak):
                _phrase(line, _spoken(engine, message.text))
    finally:
        engine.close()


def _spoken(engine: Any, text: str) -> Generator[tuple[Samples, int]]:
    yield from engine.speak(text, Trace(_CLOCK))


def _phrase(line: Channel, chunks: Generator[tuple[Samples, int]]) -> None:
    """One chunk for every `next`; anything else ends the phrase."""
    with closing(chunks):
        ended = False
        while not ended and isinstance(line.receive(), protocol.Next):
            answer, sound = _step(chunks)
            ended = not isinstance(answer, protocol.Chunk)
            line.send(answer, sound)


def _step(chunks: Generator[tuple[Samples, int]]) -> tuple[protocol.Chunk | protocol.Done | protocol.Failed, bytes]:
    """The next chunk and its samples as bytes, timed by the instrumentor like any stage."""
    trace = Trace(_CLOCK)
    try:
        with trace.stage("tts"):
            chunk = next(chunks, None)
    except Exception as error:
        traceback.print_exc()
        return protocol.Failed(reason(error)), b""
    span = trace.finish().spans[0]
    if chunk is None:
        return protocol.Done(span.start_ns, span.end_ns), b""
    samples, rate = chunk
    sound = np.asarray(samples, np.float32).tobytes()
    return protocol.Chunk(len(sound), int(rate), span.start_ns, span.end_ns), sound


if __name__ == "__main__":
    main()
