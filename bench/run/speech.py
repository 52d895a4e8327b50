"""The user's speech on the receiving side: frames as they arrive."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from firstpacket.bench.pipeline import SAMPLE_RATE, Samples
from firstpacket.bench.run.cpu_watch import CpuWatch
from firstpacket.bench.timing.cancellation import Cancellation, TurnCancelled
from firstpacket.bench.timing.clock import Clock, Inbox


class HeardSpeech:
    """Filled by the receiver of frames, read by the pipeline."""

    def __init__(self, clock: Clock, language: str, arrivals: Inbox | None = None) -> None:
        """Frames arrive in `arrivals`, by default an inbox of the clock."""
        self._arrivals = arrivals or clock.inbox()
        self._language = language
        self._heard: list[Samples] = []
        self._over_at: int | None = None
        self._given = 0
        """Frames given by `microphone`."""
        self.cancellation = Cancellation()
        self.cpu = CpuWatch(clock)

    @property
    def sample_rate(self) -> int:
        """16 kHz."""
        return SAMPLE_RATE

    @property
    def language(self) -> str:
        """Language of the recording."""
        return self._language

    @property
    def over(self) -> bool:
        """Whether the frame given last came after the end of the user's speech."""
        return self._over_at is not None and self._given > self._over_at

    @property
    def cancelled(self) -> bool:
        """Whether the turn was cancelled."""
        return self.cancellation.cancelled

    def hear(self, samples: Samples) -> None:
        """A frame has arrived."""
        self._arrivals.put(samples)

    def end(self) -> None:
        """Speech is over."""
        self.cpu.speech_over()
        self._arrivals.put(None)

    def cancel(self) -> None:
        """The turn is cancelled."""
        self.cancellation.cancel()
        self._arrivals.put(None)

    def frames(self) -> Iterator[Samples]:
        """The frames received so far, then further ones until speech is over."""
        for index in itertools.count():
            while self._over_at is None and index == len(self._heard):
                self._receive()
            if index == self._over_at:
                return
            yield self._heard[index]

    def microphone(self) -> Iterator[Samples]:
        """The frames received so far, then further ones, including silence after the end of speech."""
        for index in itertools.count():
            while index == len(self._heard):
                self._receive()
            self._given = index + 1
            yield self._heard[index]

    def _receive(self) -> None:
        frame = self._arrivals.get()
        if self.cancelled:
            raise TurnCancelled
        if frame is None:
            self._over_at = len(self._heard)
        else:
            self._heard.append(frame)

    def whole(self) -> Samples:
        """All speech in one array."""
        frames = list(self.frames())
        return frames[0] if len(frames) == 1 else np.concatenate([*frames, np.zeros(0, np.float32)])
