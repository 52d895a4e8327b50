"""Delivers the user's speech, and records the actual timing.

File input hands over the clip, cut at the end of speech, at one instant; that is t0. Realtime input plays it: media
time m is due at start + m, in frames of 20 ms (the last may be shorter), each delivered once it would have been spoken;
t0 = start + end of speech. Pipelines that detect the end of speech themselves then get frames of silence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from firstpacket.bench.pipeline import SAMPLE_RATE, Samples
from firstpacket.bench.record.schema import Delivery
from firstpacket.bench.timing.clock import Clock

FRAME_SAMPLES = SAMPLE_RATE // 50
LEAD_NS = 2_000_000
"""Lead time before the first frame, so that the schedule does not start late."""


@dataclass(slots=True)
class Microphone:
    """Plays one utterance's speech by calling `hear` and `end`."""

    clock: Clock
    speech: Samples
    hear: Callable[[Samples], None]
    end: Callable[[], None]
    silence_follows: bool = False
    _start_ns: int = 0
    _last_ns: int = 0
    _t0_ns: int = 0
    _lateness_ns: list[int] = field(default_factory=list)
    _stopped: bool = False

    def hand_over(self) -> None:
        """File input: everything at one instant. The stamp is taken before anything is sent."""
        self._t0_ns = self._start_ns = self._last_ns = self.clock.now_ns()
        self._lateness_ns = [0]
        self.hear(self.speech)
        self.end()

    def begin(self) -> int:
        """Realtime input: fix the schedule; returns t0."""
        self._start_ns = self.clock.now_ns() + LEAD_NS
        self._t0_ns = self._start_ns + _media_ns(len(self.speech))
        return self._t0_ns

    def play(self) -> None:
        """Realtime input: deliver frame by frame until speech (and silence after it) is over or `stop` is called."""
        for begin in range(0, len(self.speech), FRAME_SAMPLES):
            delivered_ns = self._deliver(self.speech[begin : begin + FRAME_SAMPLES], begin)
            if delivered_ns is None:
                return
            self._last_ns = delivered_ns
        self.end()
        begin, silence = len(self.speech), np.zeros(FRAME_SAMPLES, np.float32)
        while self.silence_follows and self._deliver(silence, begin) is not None:
            begin += FRAME_SAMPLES

    def _deliver(self, frame: Samples, begin: int) -> int | None:
        """Deliver a frame when it is due; returns when that was, or `None` if the turn is over by then."""
        due_ns = self._start_ns + _media_ns(begin + len(frame))
        self.clock.sleep_until_ns(due_ns)
        if self._stopped:
            return None
        now_ns = self.clock.now_ns()
        self._lateness_ns.append(now_ns - due_ns)
        self.hear(frame)
        return now_ns

    def stop(self) -> None:
        """Deliver nothing more."""
        self._stopped = True

    def delivery(self) -> Delivery:
        """The actual timing."""
        return Delivery(self._t0_ns, self._start_ns, self._last_ns, tuple(self._lateness_ns))


def _media_ns(samples: int) -> int:
    return samples * 1_000_000_000 // SAMPLE_RATE
