"""Recognising while the user speaks: passes over growing prefixes of the speech, and a last one after its end.

The passes run in their own thread, which receives all speech so far whenever it is free. In the listening thread a slow
pass would delay all later ones: each would start on audio that is long out of date.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from types import TracebackType

import numpy as np

from firstpacket.bench.pipeline import SAMPLE_RATE, Samples, Speech
from firstpacket.bench.timing.trace import HandOff, Trace
from firstpacket.pipelines.cascade.asr.local_agreement import Agreement
from firstpacket.pipelines.models.whisper_sizes import WINDOW_S

WINDOW = WINDOW_S * SAMPLE_RATE

Recognise = Callable[[Samples, str, HandOff | None], str]
"""Maps speech `(n,)`, the text committed so far and the hand-off that was waited for to the text that follows."""

Overhear = Callable[[Samples, str], str]
"""The same for speech that is still going on."""


def recognise_live(recognise: Recognise, overhear: Overhear, speech: Speech, trace: Trace, interval: int) -> str:
    """The text of speech that may still be going on; empty without any.

    A pass begins once `interval` samples are new and the one before is over; what it heard is a `partial` text. The
    last pass begins when speech has ended, and writes only what follows the committed words. It is the only one for
    speech that comes all at once, and for speech longer than the 30 s which Whisper hears: that is recognised anew.
    Raises what a pass raised, and lets `TurnCancelled` pass.
    """
    heard = _Heard()
    with _Passes(overhear, trace) as passes:
        for frame in speech.frames():
            # Checked before the frame is added: only a later frame shows that speech continued.
            if heard.fits and heard.length - passes.covered >= interval:
                passes.offer(heard.samples)
            heard.add(frame)
        waited_for = passes.end()
    if not heard.length:
        return ""
    if not heard.fits:
        return recognise(heard.samples, "", waited_for)
    committed = passes.agreement.committed
    return committed + recognise(heard.samples, committed, waited_for)


class _Heard:
    """A growing buffer of speech; samples already returned never change."""

    def __init__(self) -> None:
        self.length = 0
        self._buffer: Samples = np.empty(WINDOW, np.float32)

    @property
    def fits(self) -> bool:
        """Whether it fits into one Whisper window."""
        return self.length <= WINDOW

    @property
    def samples(self) -> Samples:
        """All of it, `(n,)`."""
        return self._buffer[: self.length]

    def add(self, frame: Samples) -> None:
        """Append a frame."""
        end = self.length + len(frame)
        if end > len(self._buffer):
            self._buffer = np.concatenate((self._buffer, np.empty(end, np.float32)))
        self._buffer[self.length : end] = frame
        self.length = end


class _Passes:
    """A thread that recognises one prefix after another; it starts with the first one offered."""

    def __init__(self, overhear: Overhear, trace: Trace) -> None:
        self.agreement = Agreement()
        self.covered = 0
        """Samples in the latest pass."""
        self._overhear = overhear
        self._trace = trace
        self._inbox = trace.clock.inbox()
        self._busy = False
        self._problem: BaseException | None = None
        self._thread: Thread | None = None
        self._latest: HandOff | None = None

    def __enter__(self) -> _Passes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    def offer(self, samples: Samples) -> None:
        """Start a pass over this speech, unless one is running."""
        if self._busy:
            return
        if self._thread is None:
            self._thread = self._trace.clock.spawn(self._work, "asr")
        self._busy, self.covered = True, len(samples)
        self._inbox.put(samples)

    def end(self) -> HandOff | None:
        """Wait for the running pass; returns its hand-off, if there was one. Raises the error of any pass."""
        waited = self._busy
        self._stop()
        if self._problem is not None:
            raise self._problem
        return self._latest if waited else None

    def _stop(self) -> None:
        if self._thread is not None:
            self._inbox.put(None)
            self._trace.clock.join(self._thread)
            self._thread = None

    def _work(self) -> None:
        # After an error it stays busy, so that no further pass is started.
        try:
            while (samples := self._inbox.get()) is not None:
                self.agreement.update(self._overhear(samples, self.agreement.committed))
                self._trace.text("partial", self.agreement.text)
                self._latest = self._trace.hand_off("asr")
                self._busy = False
        except BaseException as problem:
            self._problem = problem
