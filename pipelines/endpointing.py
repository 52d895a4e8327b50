"""Decides when the user has finished speaking: the stage `endpoint`, shared by every pipeline.

    oracle   the corpus says where speech ends; no waiting
    vad      Silero's voice activity detector hears no voice for `endpoint-silence` ms, as a product would do it

The detector is Silero VAD v6 (16 kHz, windows of 512 samples with 64 of context), the copy in the faster-whisper wheel.
As in Silero's own iterator, a voice begins at a probability of `endpoint-threshold`, and ends 0.15 below it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any, Protocol

import numpy as np

from firstpacket.bench.errors import MissingDependency, UsageError, install_command
from firstpacket.bench.pipeline import (
    SAMPLE_RATE,
    Declaration,
    Option,
    OptionValue,
    Requirement,
    Samples,
    Settings,
    Speech,
    Stage,
)
from firstpacket.bench.timing.clock import Inbox
from firstpacket.bench.timing.trace import HandOff, OpenStage, Trace
from firstpacket.bench.vocabulary import KnownMark

WINDOW = 512
CONTEXT = 64
HYSTERESIS = 0.15
TAIL = 25
"""Frames: a detector may report speech for this long after it has ended, and that wait counts as endpointing too."""

STAGE = Stage("endpoint", "wait", "endpoint")
OPTIONS = (
    Option(
        "endpoint",
        "oracle",
        "what decides that the user has finished: the corpus (oracle), or a voice activity detector (vad, with "
        "--input realtime)",
        choices=("oracle", "vad"),
        chooses="endpoint",
    ),
    Option("endpoint-silence", 500, "silence after which the user has finished, ms (endpoint=vad)"),
    Option("endpoint-threshold", 0.5, "speech probability threshold (endpoint=vad)"),
)


def with_endpointing(declaration: Declaration, chosen: Mapping[str, OptionValue]) -> Declaration:
    """The declaration of a pipeline that uses the options of this module."""
    finds = str(chosen.get("endpoint", "oracle")) == "vad"
    needs = (Requirement("onnxruntime", "faster-whisper"), Requirement("faster_whisper", "faster-whisper"))
    return replace(
        declaration,
        stages=(STAGE, *declaration.stages),
        options=(*declaration.options, *OPTIONS),
        requires=tuple(dict.fromkeys((*declaration.requires, *(needs if finds else ())))),
        finds_speech_end=finds,
        speech_end_given="endpoint=oracle",
    )


class Detector(Protocol):
    """Takes audio and decides when the speaker has finished."""

    def push(self, frame: Samples) -> None:
        """Take in the next samples `(n,)`."""
        ...

    @property
    def voiced(self) -> bool:
        """Whether the last whole window was a voice, or none has been heard yet."""
        ...

    @property
    def over(self) -> bool:
        """Whether the speaker has finished."""
        ...


class Endpointer:
    """Ends the user's turn for a pipeline; one per pipeline, loaded once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session: Any = None

    def load(self) -> None:
        """Check the options, and start the detector if there is one. Raises `UsageError` or `MissingDependency`."""
        silence, threshold = self._settings.whole("endpoint-silence"), self._settings.number("endpoint-threshold")
        if not 32 <= silence <= 10_000:
            raise UsageError(f"endpoint-silence is {silence} ms, but it must lie between 32 and 10000.")
        if not HYSTERESIS < threshold < 1:
            raise UsageError(f"endpoint-threshold is {threshold:g}, but it must lie between {HYSTERESIS} and 1.")
        if self._settings.text("endpoint") == "vad":
            self._session = silero_session()

    def heard(self, speech: Speech, trace: Trace) -> EndedSpeech:
        """The user's speech up to the decision."""
        if self._session is None:
            return EndedSpeech(speech, trace)
        silence_ms, threshold = self._settings.whole("endpoint-silence"), self._settings.number("endpoint-threshold")
        return OverheardSpeech(speech, trace, SileroDetector(self._session, silence_ms, threshold))


class EndedSpeech:
    """Speech whose end is given by the corpus; read once, in one thread.

    The last wait for the microphone, which was the wait for the end, is a span `endpoint`. There is no decision.
    """

    def __init__(self, speech: Speech, trace: Trace) -> None:
        self.sample_rate = SAMPLE_RATE
        self.language = speech.language
        self._speech = speech
        self._trace = trace

    def frames(self) -> Generator[Samples, None, None]:
        """Frames until the end is decided. Raises `TurnCancelled`."""
        incoming = self._speech.frames()
        while True:
            with self._trace.stage(STAGE.id) as waiting:
                frame = next(incoming, None)
                if frame is not None:
                    waiting.discard()
            if frame is None:
                return
            yield frame

    def whole(self) -> Samples:
        """Everything up to the decision, `(n,)`. Raises `TurnCancelled`."""
        frames = list(self.frames())
        return frames[0] if len(frames) == 1 else np.concatenate([*frames, np.zeros(0, np.float32)])

    @property
    def over(self) -> bool:
        """As of what the microphone delivers."""
        return self._speech.over

    def microphone(self) -> Iterator[Samples]:
        """What the microphone delivers, whatever was decided."""
        return self._speech.microphone()


@dataclass(frozen=True, slots=True)
class _Overheard:
    """A frame passed on by the detector, with a hand-off once nobody speaks."""

    frame: Samples
    over: bool
    let_go: HandOff | None


class OverheardSpeech(EndedSpeech):
    """Speech whose end a detector finds, in its own thread: a slow consumer of the frames does not delay it.

    Spans `endpoint` are the detector's last waits for the microphone, and the consumer's for the detector since the
    last voiced window. The decision is marked `endpoint`.
    """

    def __init__(self, speech: Speech, trace: Trace, detector: Detector) -> None:
        super().__init__(speech, trace)
        self._detector = detector
        self._stopped = Event()

    def frames(self) -> Generator[Samples, None, None]:
        """Frames until the end is decided, with the silence before it. Raises `TurnCancelled`."""
        inbox = self._trace.clock.inbox()
        thread = self._trace.clock.spawn(lambda: self._listen(inbox), STAGE.id)
        waits: list[OpenStage] = []
        try:
            while True:
                with self._trace.stage(STAGE.id) as waiting:
                    item = inbox.get()
                    waiting.discard()
                if not isinstance(item, _Overheard):
                    raise item
                waiting.released(item.let_go)
                waits = [*waits, waiting] if item.let_go is not None else []
                if item.over:
                    _keep(waits)
                yield item.frame
                if item.over:
                    return
        finally:
            self._stopped.set()
            self._trace.clock.join(thread)

    def _listen(self, inbox: Inbox) -> None:
        """Pass on frames from the microphone until the speaker has finished, or the error."""
        incoming, waits = self._speech.microphone(), list[OpenStage]()
        over = False
        try:
            while not (over or self._stopped.is_set()):
                with self._trace.stage(STAGE.id) as waiting:
                    waiting.discard()
                    frame = next(incoming)
                    self._detector.push(frame)
                voiced, over = self._detector.voiced, self._detector.over
                waits = [*waits, waiting][-TAIL if voiced else 0 :]
                if over:
                    self._trace.mark(KnownMark.ENDPOINT)
                    _keep(waits)
                inbox.put(_Overheard(frame, over, None if voiced else self._trace.hand_off(STAGE.id)))
        except BaseException as problem:
            inbox.put(problem)


def _keep(waits: list[OpenStage]) -> None:
    for wait in waits:
        wait.keep()


class SileroDetector:
    """Silero VAD over one utterance."""

    def __init__(self, session: Any, silence_ms: int, threshold: float) -> None:
        self._session = session
        self._silence = silence_ms * SAMPLE_RATE // 1000
        self._threshold = threshold
        self._state = [np.zeros((1, 1, 128), np.float32), np.zeros((1, 1, 128), np.float32)]
        self._context = np.zeros(CONTEXT, np.float32)
        self._pending = np.zeros(0, np.float32)
        self._speaking = False
        self._silent = 0
        """Samples since the last voiced window; counted once speech has started."""

    @property
    def voiced(self) -> bool:
        """Whether the last whole window was a voice, or none has been heard yet."""
        return self._silent == 0

    @property
    def over(self) -> bool:
        """Whether somebody has spoken and has been silent for long enough."""
        return self._speaking and self._silent >= self._silence

    def push(self, frame: Samples) -> None:
        """Take in the next samples `(n,)`."""
        self._pending = np.concatenate((self._pending, frame))
        while len(self._pending) >= WINDOW:
            window, self._pending = self._pending[:WINDOW], self._pending[WINDOW:]
            self._judge(self._probability(window))

    def _judge(self, probability: float) -> None:
        if probability >= self._threshold - (HYSTERESIS if self._speaking and self._silent == 0 else 0.0):
            self._speaking, self._silent = self._speaking or probability >= self._threshold, 0
        elif self._speaking:
            self._silent += WINDOW

    def _probability(self, window: Samples) -> float:
        heard = np.concatenate((self._context, window))[None]
        self._context = window[-CONTEXT:]
        probabilities, *self._state = self._session.run(
            None, {"input": heard, "h": self._state[0], "c": self._state[1]}
        )
        return float(probabilities[0])


def silero_session() -> Any:
    """The detector's network, on one thread. Raises `MissingDependency`."""
    package = importlib.util.find_spec("faster_whisper")
    places = package.submodule_search_locations if package is not None else None
    files = sorted(Path(place) / "assets" / "silero_vad_v6.onnx" for place in places or ())
    try:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = options.intra_op_num_threads = 1
        options.log_severity_level = 4
        return onnxruntime.InferenceSession(str(files[0]), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has errors of its own kind, importable only with it
        raise MissingDependency(
            "endpoint=vad needs Silero's detector (silero_vad_v6.onnx of the wheel faster-whisper, and onnxruntime), "
            f"which cannot be loaded: {error}. Install it with: {install_command('faster-whisper')}"
        ) from error
