"""A turn that is cancelled while a real server blocks is given up at once, and says what it was waiting for."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np
import pytest
from support.wyoming_server import info, program, sound
from wyoming.event import read_event, write_event

from firstpacket.bench.pipeline import Settings
from firstpacket.bench.run.speech import HeardSpeech
from firstpacket.bench.timing.cancellation import TurnCancelled
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.cascade.asr.wyoming import WyomingASR
from firstpacket.pipelines.cascade.engines import Engine
from firstpacket.pipelines.cascade.llm.wyoming import WyomingLLM
from firstpacket.pipelines.cascade.tts.wyoming import WyomingTTS

KINDS: dict[str, type[Engine]] = {"asr": WyomingASR, "llm": WyomingLLM, "tts": WyomingTTS}
DESCRIBED = info(asr=program("asr"), handle=program("handle"), tts=program("tts"))


class Server:
    """Describes itself so many times; after that it is stuck at the first event of the type `at`."""

    def __init__(self, at: str, describes: int) -> None:
        self.at = at
        self.describes = describes
        self.stuck = threading.Event()
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.uri = f"tcp://127.0.0.1:{self.listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=self.listening.accept()[:1], daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        with accepted, accepted.makefile("rwb") as stream, suppress(OSError):
            while (event := read_event(stream)) is not None:  # type: ignore[arg-type]
                if event.type == "synthesize":
                    for begun in sound(20)[:2]:
                        write_event(begun.event(), stream)  # type: ignore[arg-type]
                if event.type == self.at and self.describes <= 0:
                    self.stuck.set()
                elif event.type == "describe":
                    self.describes -= 1
                    write_event(DESCRIBED, stream)  # type: ignore[arg-type]


@pytest.fixture
def server() -> Iterator[Callable[[str, int], Server]]:
    made: list[Server] = []

    def make(at: str, describes: int) -> Server:
        made.append(Server(at, describes))
        return made[-1]

    yield make
    for each in made:
        each.listening.close()


def work(engine: Engine, speech: HeardSpeech, trace: Trace) -> None:
    """A turn of whatever the engine does."""
    engine.prepare(trace)
    if isinstance(engine, WyomingASR):
        engine.transcribe(speech, trace)
    elif isinstance(engine, WyomingLLM):
        list(engine.reply("Why?", trace))
    elif isinstance(engine, WyomingTTS):
        list(engine.speak("Because.", trace))


STUCK = [
    ("asr", "describe", 1, "for it to describe itself"),
    ("asr", "audio-stop", 2, "for the transcript"),
    ("llm", "transcript", 2, "for an answer"),
    ("tts", "synthesize", 2, "for speech"),
]


@pytest.mark.parametrize(("role", "at", "describes", "waiting"), STUCK)
def test_a_cancelled_turn_is_given_up(
    server: Callable[[str, int], Server], role: str, at: str, describes: int, waiting: str
) -> None:
    made = server(at, describes)
    kind = KINDS[role]
    options = {option.name: option.default for option in kind.declaration.options}
    engine = kind(Settings(options={**options, f"{role}-uri": made.uri}))
    engine.load()
    clock = MonotonicClock()
    speech = HeardSpeech(clock, "en")
    trace = Trace(clock, cancellation=speech.cancellation)
    problems: list[BaseException] = []

    def turn() -> None:
        try:
            work(engine, speech, trace)
        except BaseException as problem:
            problems.append(problem)

    thread = threading.Thread(target=turn)
    thread.start()
    speech.hear(np.zeros(320, np.float32))
    speech.end()
    assert made.stuck.wait(10)
    speech.cancel()
    thread.join(10)
    assert not thread.is_alive()
    (problem,) = problems
    assert isinstance(problem, TurnCancelled) and str(problem) == f"waiting {waiting} ({made.uri})"
    made.describes = 10
    engine.prepare(Trace(clock))  # the next turn has a connection of its own
    engine.close()
