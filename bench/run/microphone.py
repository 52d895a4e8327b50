"""Delivers the user's speech, and records the actual timing.

File input hands over the clip, cut at the end of speech, at one instant; that is t0. Realtime input plays it: media
time m is due at start + m, in frames of 20 ms (the last may be shorter), each delivered once it would have been spoken;
t0 = start + end of speech. Pipelines that detect the end of speech themselves then get frames of silence as it sounds
in the clip: noise at the level of its quietest frames, the same for every system. Many detectors find digital silence
sooner than that of a room.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from firstpacket.bench.pipeline import SAMPLE_RATE, Samples
from firstpacket.bench.record.schema import Delivery
from firstpacket.bench.timing.clock import Clock

FRAME_SAMPLES = SAMPLE_RATE // 50
LEAD_NS = 2_000_000
"""Lead time before the first frame, so that the schedule does not start late."""
QUIETEST = 0.05
"""The share of a clip's frames that show its noise floor."""
PAUSE_BELOW = 0.5
"""A clip has a pause if those frames are below this share of its RMS, that is 6 dB; else they may be speech."""


@dataclass(slots=True)
class Microphone:
    """Plays one utterance's speech by calling `hear` and `end`."""

    clock: Clock
    speech: Samples
    hear: Callable[[Samples], None]
    end: Callable[[], None]
    silence_rms: float | None = None
    """RMS of the noise that follows speech; None: nothing follows."""
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
        if self.silence_rms is not None:
            self._play_silence(self.silence_rms)

    def _play_silence(self, rms: float) -> None:
        random = np.random.default_rng(0)
        for begin in itertools.count(len(self.speech), FRAME_SAMPLES):
            noise = random.standard_normal(FRAME_SAMPLES, np.float32)
            if self._deliver(noise * np.float32(rms), begin) is None:
                return

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


def noise_floor(clip: Samples) -> float:
    """RMS of the quietest frames of a whole clip; 0 where these are digital silence, or it has no pause."""
    power = np.square(clip, dtype=np.float64)
    frames = np.sort(power[: len(power) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES).mean(axis=1))
    if not len(frames):
        return 0.0
    floor = math.sqrt(frames[: max(1, round(QUIETEST * len(frames)))].mean())
    return floor if floor < PAUSE_BELOW * math.sqrt(power.mean()) else 0.0


def _media_ns(samples: int) -> int:
    return samples * 1_000_000_000 // SAMPLE_RATE
