"""Which turns can be heard in a report, within its budgets; their sounds are made in threads of their own."""

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
"""So many seconds of sound are made for a run: it takes 7 ms each, and a report must be there within 10 s."""
SOUND_BYTES = 6 * 2**20
"""Of all sounds of a report, in base64."""

FRAMES_S = 0.2
"""By so much a file may be longer than its sound: the first frame says how long it is, the last ones are filled up."""

NO_ROOM = "Its sound was left out: the report has room for the worst turns, the median ones, and others by seed."


@dataclass(frozen=True, slots=True)
class Sound:
    """A turn as MP3, in base64; empty where there is none. `with_question`: it begins with the user's first sample,
    else with the end of speech. `problem` says what is missing, and why."""

    mp3: str = ""
    with_question: bool = True
    problem: str = ""


@dataclass(slots=True)
class SoundMaker:
    """Begins sounds as long as there is room for them, and hands them over when they are done."""

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
        """Begin with a turn, if it can be heard and there is room."""
        number = one.turn.turn
        if not one.trace.packets:
            self._refused[number] = "There is nothing to hear: no packet came."
            return
        if not one.evidence.audio:
            self._refused[number] = "There is nothing to hear: its reply was not kept."
            return
        seconds = length_s(one, asked.speech_end_ms / 1000 if asked else 0.0)
        expected = round((seconds + FRAMES_S) * BYTES_PER_S * 4 / 3)
        if expected > self.room or seconds > self.seconds:
            name = kept_file(one.run.path, one.evidence.audio).name
            self._refused[number] = f"{NO_ROOM} The reply lies in the run folder: {AUDIO}/{name}"
            return
        self.room -= expected
        self.seconds -= seconds
        question, problem = self._question(asked)
        self._begun[number] = self.pool.submit(sound, one, question), problem

    def made(self, number: int) -> Sound:
        """The sound of a turn that was begun, or why there is none."""
        if number not in self._begun:
            return Sound(problem=self._refused.get(number, ""))
        begun, problem = self._begun[number]
        try:
            mp3 = base64.b64encode(begun.result()).decode("ascii")
        except BenchError as error:
            return Sound(problem=f"It cannot be heard: {error}")
        return Sound(mp3, not problem, problem)

    def _question(self, asked: UtteranceFacts | None) -> tuple[Samples, str]:
        """The question's samples, or none and why."""
        nothing = np.zeros(0, np.float32)
        if asked is None:
            return nothing, "The question cannot be heard: the run does not name its clip."
        if asked.id not in self._questions:
            try:
                self._questions[asked.id] = self.corpus.heard(asked)
            except BenchError as error:
                self._questions[asked.id] = self.corpus.problem or f"The question cannot be heard: {error}"
        found = self._questions[asked.id]
        return (nothing, found) if isinstance(found, str) else (found, "")
