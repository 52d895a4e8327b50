"""Which turns have audio in a report, within its budgets; the audio is encoded in separate threads."""

from __future__ import annotations

import base64
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field

import numpy as np

from firstpacket.bench.analysis.turn_trace import OneTurn
from firstpacket.bench.errors import BenchError
from firstpacket.bench.pipeline import Samples
from firstpacket.bench.record.schema import UtteranceFacts
from firstpacket.bench.report.turns.recordings import Recordings
from firstpacket.bench.report.turns.sounds import AUDIO, BYTES_PER_S, kept_file, length_s, sound

MOST_S = 600.0
"""Seconds of audio encoded for a run: each takes 7 ms, and a report must be ready within 10 s."""
SOUND_BYTES = 6 * 2**20
"""Size of all audio in a report, in base64."""

FRAMES_S = 0.2
"""How much longer a file may be than its audio: the first frame holds the length, the last ones are padded."""

NO_ROOM = "No audio here: the report has room for the worst turns, the median ones and a random sample."


@dataclass(frozen=True, slots=True)
class Sound:
    """A turn as MP3, in base64; empty if there is none. `with_question`: it begins with the user's first sample,
    else at the end of speech. `problem` says what is missing, and why."""

    mp3: str = ""
    with_question: bool = True
    problem: str = ""


@dataclass(slots=True)
class SoundMaker:
    """Encodes audio in the background while there is room, and returns it when done."""

    pool: Executor
    corpus: Recordings
    room: int
    """Bytes of base64 that are left."""
    seconds: float = MOST_S
    """Seconds of sound that are left."""
    _questions: dict[str, Samples | str] = field(default_factory=dict)
    _begun: dict[int, tuple[Future[bytes], str]] = field(default_factory=dict)
    _refused: dict[int, str] = field(default_factory=dict)

    def begin(self, one: OneTurn, asked: UtteranceFacts | None) -> None:
        """Start encoding a turn, if it has audio and there is room."""
        number = one.turn.turn
        if not one.trace.packets:
            self._refused[number] = "No audio: no packet arrived."
            return
        if not one.evidence.audio:
            self._refused[number] = "No audio: the reply was not saved."
            return
        seconds = length_s(one, asked.speech_end_ms / 1000 if asked else 0.0)
        expected = round((seconds + FRAMES_S) * BYTES_PER_S * 4 / 3)
        if expected > self.room or seconds > self.seconds:
            name = kept_file(one.run.path, one.evidence.audio).name
            self._refused[number] = f"{NO_ROOM} The reply is in the run folder: {AUDIO}/{name}"
            return
        self.room -= expected
        self.seconds -= seconds
        question, problem = self._question(asked)
        self._begun[number] = self.pool.submit(sound, one, question), problem

    def made(self, number: int) -> Sound:
        """The audio of a turn that was started, or why there is none."""
        if number not in self._begun:
            return Sound(problem=self._refused.get(number, ""))
        begun, problem = self._begun[number]
        try:
            mp3 = base64.b64encode(begun.result()).decode("ascii")
        except BenchError as error:
            return Sound(problem=f"No audio: {error}")
        return Sound(mp3, not problem, problem)

    def _question(self, asked: UtteranceFacts | None) -> tuple[Samples, str]:
        """The question's samples, or none and why."""
        nothing = np.zeros(0, np.float32)
        if asked is None:
            return nothing, "The question has no audio: the run does not list its clip."
        if asked.id not in self._questions:
            try:
                self._questions[asked.id] = self.corpus.heard(asked)
            except BenchError as error:
                self._questions[asked.id] = self.corpus.problem or f"The question has no audio: {error}"
        found = self._questions[asked.id]
        return (nothing, found) if isinstance(found, str) else (found, "")
