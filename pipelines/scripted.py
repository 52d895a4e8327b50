"""A pipeline with known delays, for testing the harness itself.

A script is a list of steps separated by `;`, in lanes separated by `|`. Each lane but the last runs in a thread of its
own; the last one gives the packets.

    hear             listen until the user's speech is over
    STAGE MS         be busy in a stage: `encoder 20`
    token            note the first output of the next stage step at its end: `llm.prefill 30 token`
    rest MS          do nothing, in no stage
    send             hand an item to the next lane
    take             wait for an item from the lane before; the next stage step begins with it
    packet MS        give MS of a loud tone
    silence MS       give MS of silence
    raise hang block die exit rubbish      go wrong; `raise@3` goes wrong in the third turn of the process only;
                                     `block` gives the turn up when it is cancelled, `hang` does not

For example a streamed cascade: `hear; asr 40; llm.prefill 20 token; llm.decode 30; send; llm.decode 50; send | take;
tts 10; packet 200; take; tts 10; packet 300`.

Beside the trace, the pipeline takes stamps of its own: when each step began and ended, a stage's inside of what the
trace times, a packet's just before it leaves. After the last packet it gives them as the text `stamps`, a JSON list of
`[lane, step, began_ns, ended_ns]` with both numbers counted from 0: `bench calibrate` compares the harness with them.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from firstpacket.bench.errors import UsageError
from firstpacket.bench.pipeline import Declaration, Option, Packet, Pipeline, Samples, Settings, Speech, Stage
from firstpacket.bench.timing.clock import Inbox
from firstpacket.bench.timing.trace import HandOff, Trace

RATE = 16_000
DEFAULT = "hear; encoder 5; llm.prefill 10 token; llm.decode 5; vocoder 5; packet 200; vocoder 5; packet 200"
STAGES = (
    Stage("asr", "listen", "asr"),
    Stage("features", "listen"),
    Stage("encoder", "listen"),
    Stage("adaptor", "listen"),
    Stage("llm.prefill", "think", "llm"),
    Stage("llm.decode", "think", "llm"),
    Stage("tts", "speak", "tts"),
    Stage("speech_decoder", "speak"),
    Stage("vocoder", "speak"),
    Stage("copy", "move"),
)
_STAGE_IDS = {stage.id for stage in STAGES}
_TIMED = {"rest", "packet", "silence"}
_BARE = {"hear", "send", "take"}
_FAULTS = {"raise", "hang", "block", "die", "exit", "rubbish"}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a script."""

    name: str
    ns: int = 0
    token: bool = False
    turn: int = 0
    """The turn of the process in which a fault happens; 0 for every turn."""


def parse(script: str) -> tuple[tuple[Step, ...], ...]:
    """The steps of each lane. Raises `UsageError` that names the step it does not understand."""
    return tuple(tuple(_step(text.split()) for text in lane.split(";") if text.strip()) for lane in script.split("|"))


def _step(words: list[str]) -> Step:
    name, *rest = words
    fault, _, turn = name.partition("@")
    if fault in _FAULTS and not rest and (not turn or turn.isdigit()):
        return Step(fault, turn=int(turn or 0))
    if name in _BARE and not rest:
        return Step(name)
    timed = name in _TIMED or name in _STAGE_IDS
    if timed and rest and (rest[1:] == [] or (rest[1:] == ["token"] and name in _STAGE_IDS)):
        try:
            milliseconds = float(rest[0])
        except ValueError:
            milliseconds = -1
        if 0 <= milliseconds < 1e7:
            return Step(name, round(milliseconds * 1e6), token=len(rest) == 2)
    known = ", ".join(sorted(_BARE | _TIMED | _FAULTS | _STAGE_IDS))
    raise UsageError(f"Unknown step '{' '.join(words)}'. Steps are: {known}.")


class Scripted(Pipeline):
    """Plays its script for every utterance."""

    declaration = Declaration(
        name="scripted",
        summary="Scripted delays, stalls and faults, for testing the harness itself.",
        stages=STAGES,
        options=(Option("script", DEFAULT, "steps, see pipelines/scripted.py"),),
        starts_before_speech_ends=True,
    )

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._lanes = parse(settings.text("script"))
        self._turn = 0

    def load(self) -> None:
        """Nothing to load."""

    def respond(self, speech: Speech, trace: Trace) -> Iterator[Packet]:
        """Play the script. Raises what it says."""
        self._turn += 1
        yield from _Performance(self._lanes, self._turn, speech, trace).packets()


@dataclass(frozen=True, slots=True)
class _Performance:
    """One turn."""

    lanes: tuple[tuple[Step, ...], ...]
    turn: int
    speech: Speech
    trace: Trace
    stamps: list[tuple[int, int, int, int]] = field(default_factory=list)
    problems: list[BaseException] = field(default_factory=list)

    def packets(self) -> Iterator[Packet]:
        """Run all lanes; the packets of the last one."""
        clock = self.trace.clock
        boxes = [clock.inbox() for _ in self.lanes]
        threads = []
        for number, steps in enumerate(self.lanes[:-1]):
            threads.append(clock.spawn(self._thread(number, steps, boxes[number], boxes[number + 1]), f"lane {number}"))
        try:
            yield from self._play(len(threads), self.lanes[-1], boxes[-1], None)
        finally:
            for thread in threads:
                clock.join(thread)
        if self.problems:
            raise self.problems[0]
        self.trace.text("stamps", json.dumps(self.stamps))

    def _thread(self, lane: int, steps: tuple[Step, ...], takes: Inbox, sends: Inbox) -> Callable[[], None]:
        def body() -> None:
            try:
                for _ in self._play(lane, steps, takes, sends):
                    raise UsageError("Only the last lane of a script can yield packets.")
            except BaseException as problem:
                self.problems.append(problem)
                sends.put(None)

        return body

    def _play(self, lane: int, steps: tuple[Step, ...], takes: Inbox, sends: Inbox | None) -> Iterator[Packet]:
        trace, clock = self.trace, self.trace.clock
        item: HandOff | None = None
        last = ""
        for number, step in enumerate(steps):
            began_ns = clock.now_ns()
            if step.name == "hear":
                self.speech.whole()
            elif step.name == "rest":
                clock.sleep_until_ns(began_ns + step.ns)
            elif step.name == "send" and sends is not None:
                sends.put(trace.hand_off(last))
            elif step.name == "take":
                item = takes.get()
                if item is None:
                    return
            elif step.name in ("packet", "silence"):
                sound = _sound(step)
                hand_off = trace.hand_off(last)
                left_ns = clock.now_ns()
                self.stamps.append((lane, number, left_ns, left_ns))
                yield Packet(sound, RATE, after=hand_off)
                continue
            elif step.name in _FAULTS:
                if step.turn in (0, self.turn):
                    _go_wrong(step.name, trace)
            else:
                self.stamps.append((lane, number, *self._work(step, item)))
                item, last = None, step.name
                continue
            self.stamps.append((lane, number, began_ns, clock.now_ns()))

    def _work(self, step: Step, item: HandOff | None) -> tuple[int, int]:
        """Be busy; returns when that began and ended by this pipeline's own stamps."""
        clock = self.trace.clock
        with self.trace.stage(step.name, after=item) as span:
            began_ns = clock.now_ns()
            clock.sleep_until_ns(began_ns + step.ns)
            ended_ns = clock.now_ns()
            if step.token:
                span.first_output()
        return began_ns, ended_ns


def _sound(step: Step) -> Samples:
    count = step.ns * RATE // 1_000_000_000
    if step.name == "silence":
        return np.zeros(count, np.float32)
    tone: Samples = (0.3 * np.sin(2 * np.pi * 440 / RATE * np.arange(count))).astype(np.float32)
    return tone


def _go_wrong(fault: str, trace: Trace) -> Any:
    if fault == "raise":
        raise RuntimeError("raised by the script")
    if fault == "hang":
        threading.Event().wait()
    if fault == "block":
        trace.cancellation.abandonable(threading.Event().wait, bool, "block")
    if fault == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "exit":
        os._exit(7)
    if fault == "rubbish":
        print("{rubbish", flush=True)  # noqa: T201 (printing to standard output is the point)
        sys.stderr.write("\x00\xff rubbish\n")
    return None
