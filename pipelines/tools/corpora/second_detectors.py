"""Detectors of where speech ends that know nothing of the level detector that corpora are loaded with.

    silero-vad-v6   the trained network of `firstpacket.pipelines.endpointing`; where faster-whisper is installed
    webrtc-vad      WebRTC's Gaussian mixtures over six bands, the copy in pocketsphinx; else

Both are used without their own delay: they say where speech ended, not when a detector would know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from firstpacket.bench.errors import MissingDependency, install_command
from firstpacket.bench.pipeline import SAMPLE_RATE, Samples
from firstpacket.pipelines.endpointing import TAIL, WINDOW, SileroDetector, silero_session

Finder = Callable[[Samples], float | None]
"""Clip, float32 `(n,)` at 16 kHz → end of speech in ms from its beginning; None if it hears no speech."""

SILERO = "silero-vad-v6"
WEBRTC = "webrtc-vad"

_SHIFTS = range(0, WINDOW, WINDOW // 4)
_THRESHOLD = 0.5
_AGGRESSIVENESS = 2
_FRAME_S = 0.01
_SETTLE_S = 0.3
_SETTLE_RMS = 1e-4


def second_detector() -> tuple[str, Finder]:
    """Name and finder of the better of those that are installed. Raises `MissingDependency` without any."""
    try:
        session = silero_session()
    except MissingDependency:
        return WEBRTC, _webrtc()
    return SILERO, lambda samples: silero_end_ms(session, samples)


def silero_end_ms(session: Any, samples: Samples) -> float | None:
    """Middle of the last voiced window of 32 ms; the median of four passes whose windows lie 8 ms apart."""
    ends = [_last_voiced(session, samples, shift) for shift in _SHIFTS]
    heard = [end for end in ends if end is not None]
    return float(np.median(heard)) * 1000 / SAMPLE_RATE if len(heard) == len(ends) else None


def _last_voiced(session: Any, samples: Samples, shift: int) -> float | None:
    """Middle of the last voiced window, in samples, when windows begin `shift` samples before the clip."""
    detector = SileroDetector(session, WINDOW * 1000 // SAMPLE_RATE, _THRESHOLD)
    windows = -(-(shift + len(samples)) // WINDOW) + TAIL + 1
    padded = np.zeros(windows * WINDOW, np.float32)
    padded[shift : shift + len(samples)] = samples
    last = 0
    for number, window in enumerate(padded.reshape(-1, WINDOW)):
        detector.push(window)
        if not detector.over:
            last = number
    return min((last + 0.5) * WINDOW - shift, len(samples)) if detector.over else None


def webrtc_end_ms(make: Callable[[], Any], samples: Samples) -> float | None:
    """Beginning of the first voiced frame of the clip heard backwards: the detector's hangover then follows it.

    Faint noise is heard first, so that its model of the background has settled by then.
    """
    detector = make()
    frame = round(_FRAME_S * SAMPLE_RATE)
    settle = np.random.default_rng(0).standard_normal(round(_SETTLE_S * SAMPLE_RATE)) * _SETTLE_RMS
    backwards = np.concatenate((settle, samples[::-1], np.zeros(-(len(samples) + len(settle)) % frame)))
    pcm = (np.clip(backwards, -1, 1) * (2**15 - 1)).astype("<i2")
    for number, heard in enumerate(pcm.reshape(-1, frame)):
        if detector.is_speech(heard.tobytes()):
            end = len(samples) + len(settle) - number * frame
            return min(end, len(samples)) * 1000 / SAMPLE_RATE if end > 0 else None
    return None


def _webrtc() -> Finder:
    try:
        from pocketsphinx import Vad
    except Exception as error:
        raise MissingDependency(
            f"Checking ends of speech needs a second detector, Silero's or WebRTC's, and neither is installed. "
            f"Install one: {install_command('faster-whisper')} or {install_command('pocketsphinx')}"
        ) from error
    return lambda samples: webrtc_end_ms(lambda: Vad(_AGGRESSIVENESS, SAMPLE_RATE, _FRAME_S), samples)
