"""An estimate of where speech ends, for recordings whose manifest does not say.

Speech is what rises above the background, and is at most 40 dB below the loudest speech of the clip. The background is
the steady sound at the end of the clip if it also fills the pauses of the speech, or lasts 0.3 s; else the
quietest tenth of the clip. Power `p` in a band of background `b` is evidence for speech of

    n (p/b - log(p/b) - 1)        where p > b, and n is the number of independent values in it

which is the logarithm of the likelihood ratio of two Gaussian noises (Sohn, Kim, Sung 1999). It is summed over bands,
and looked for in single frames and in means of 3 and 7 frames, which reveal fainter speech. Each band has a background
of its own, so hum and coloured noise hide only what is in their bands. How far it is off on recordings whose end is
known: docs/evidence.md.

`doubtful` says that the end may be off by more than 40 ms: noise, or rounding to 16 bits, is too close to the speech,
the speech fades slowly, or it cannot be told whether a steady sound at the end belongs to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from firstpacket.bench.corpus.band_power import FRAME_MS, FREEDOM, HOP_MS, Power, averaged, band_power, decibels
from firstpacket.bench.pipeline import SAMPLE_RATE, Samples

BELOW_LOUD_DB = 40.0
DOUBTFUL_BELOW_DB = 10.0
"""Median over bands of loud speech above the background; with less, the end of speech is easily hidden."""
DOUBTFUL_BELOW_DBFS = -79.0
"""If loud speech is quieter than this, rounding to 16 bits hides how it fades."""
FADING_DB, DOUBTFUL_FADING_MS = 6.0, 110.0
"""Speech fades slowly if the end moves by more than this between limits so far below and above the usual one."""

_SPEECH = 30.0
_IN_BAND = 6.0
_CHANGE = 40.0
"""Evidence that a frame is speech, that a band takes part in it, and that a frame differs from steady sound: by steady
noise itself, the first and the last are reached once in about a million frames, the second in a thousand."""
_MEANS = ((1, 1.0), (3, 1.75), (7, 4.0))
"""Frames of a mean, and by how much it narrows the spread (frames overlap); measured on noise."""
_STEADY, _LONG = 100 // HOP_MS, 300 // HOP_MS
_OVERLAP = 3
"""Frames before a change that already contain some of it."""
_EXTENSIONS = 8
_ALIKE = 18.0
_ALIKE_DB = 4.0
_QUIETEST = 10
"""Percentile of the quietest tenth."""
_TENTH_TO_MEAN = 1.25
_CLICK, _CLICK_GAP, _CLICK_BELOW_DB = 60 // HOP_MS, 200 // HOP_MS, 25.0
"""A sound shorter than this, this long after all other speech, and this far below it, is no speech."""
_STEPS_BELOW_DB, _STEP_DBFS = 15.0, -90.0
"""Nor are lone steps of 16-bit samples, after quiet speech."""
_WITHIN, _AT_LEAST = 50 // HOP_MS, 4
"""A single frame counts only with others within so many frames before it."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SpeechEnd:
    """Where speech ends, in ms from the clip's beginning."""

    ms: float
    doubtful: bool


def estimate_speech_end(samples: Samples) -> SpeechEnd | None:
    """End of speech in `samples`, float32 `(n,)` at 16 kHz; None if there is no speech."""
    power = band_power(samples)
    background, limit, unclear = _background(power)
    heard = _Heard(power[:limit], background)
    last = heard.last(BELOW_LOUD_DB)
    if last is None:
        return None
    clip_ms = len(samples) * 1000 / SAMPLE_RATE
    above_db = heard.above_db()
    fading = ((heard.last(BELOW_LOUD_DB + FADING_DB) or 0) - (heard.last(BELOW_LOUD_DB - FADING_DB) or 0)) * HOP_MS
    end_ms = clip_ms if last == len(power) - 1 else min(last * HOP_MS + FRAME_MS / 2, clip_ms)
    hidden = above_db < DOUBTFUL_BELOW_DB or heard.loud_dbfs < DOUBTFUL_BELOW_DBFS
    return SpeechEnd(end_ms, unclear or hidden or fading > DOUBTFUL_FADING_MS)


def estimate_speech_end_ms(samples: Samples) -> float | None:
    """The same in ms, without doubt."""
    found = estimate_speech_end(samples)
    return found.ms if found else None


def _evidence(power: Power, background: Power, narrower: float = 1.0) -> Power:
    """Evidence for speech in each frame and band."""
    ratio = power / background
    return np.where(ratio > 1, (ratio - np.log(ratio) - 1) * FREEDOM * narrower, 0)


def _difference(power: Power, background: Power) -> Power:
    """Evidence that a band is not the background, louder or quieter."""
    ratio = power / background
    return (ratio - np.log(ratio) - 1) * FREEDOM


def _background(power: Power) -> tuple[Power, int, bool]:
    """Power of the background by band, the frame behind the last that can be speech, and whether that is unclear."""
    start = _steady_from(power)
    quietest = _quietest(power[:start] if start >= _STEADY else power)
    if len(power) - start < _STEADY:
        return quietest, len(power), False
    louder_db = _louder_db(power[start:], quietest)
    if louder_db > _ALIKE_DB:  # it begins only after speech, or is the last sound of it
        long = len(power) - start >= _LONG
        return quietest, start - _OVERLAP if long else len(power), not long
    inner = _steady_from(power[:start]) if louder_db < -_ALIKE_DB else start
    lasts = inner >= _STEADY and start - inner >= _STEADY
    if lasts and abs(_louder_db(power[inner:start], _quietest(power[:inner]))) <= _ALIKE_DB:
        return _refined(power[:start], inner), start, False  # a background that ends before the clip does
    return _refined(power, start), len(power), False


def _quietest(power: Power) -> Power:
    quiet: Power = np.percentile(averaged(power, min(5, len(power))), _QUIETEST, axis=0) * _TENTH_TO_MEAN
    return quiet


def _louder_db(power: Power, background: Power) -> float:
    return float(10 * np.log10(power.sum() / len(power) / background.sum()))


def _steady_from(power: Power) -> int:
    """The first frame of the steady sound at the end; the number of frames if there is none.

    Its last tenth of a second is extended backwards as long as the frames are like the mean of those already found.
    """
    count = len(power)
    start = max(0, count - _STEADY)
    for _ in range(_EXTENSIONS):
        mean = power[start:].mean(axis=0)
        difference, louder = _difference(power, mean), power > mean
        changed = np.maximum((difference * louder).sum(axis=1), (difference * ~louder).sum(axis=1)) > _CHANGE
        if count - start > 2 * _STEADY:  # a long mean is exact enough to tell chance, a single frame, from change
            changed = np.convolve(changed, np.ones(3))[1:-1] >= 2
        extended = int(np.flatnonzero(changed)[-1]) + 1 if changed.any() else 0
        if extended > count - _STEADY:
            return count
        if extended == start:
            break
        start = extended
    return start


def _refined(power: Power, start: int) -> Power:
    """The mean of the steady sound from `start` on, and of all frames like it: pauses have the same background."""
    background: Power = power[start:].mean(axis=0)
    for _ in range(3):
        alike = _difference(power, background).sum(axis=1) < _ALIKE
        alike[start:] = True
        background = np.mean(power[alike], axis=0)
    return background


class _Heard:
    """What rises above the background of a clip; `loud_dbfs` is the level that it rarely exceeds."""

    def __init__(self, power: Power, background: Power) -> None:
        self._power, self._background = power, background
        in_bands = _evidence(power, background) > _IN_BAND
        self._levels = decibels(np.where(in_bands, power - background, 0).sum(axis=1))
        self.loud_dbfs = float(np.percentile(self._levels, 95)) if len(power) else -np.inf

    def last(self, below_db: float) -> int | None:
        """The last frame that holds speech, at most this far below loud speech; None without any."""
        speech = _speech(self._power, self._background, 10 ** ((self.loud_dbfs - below_db) / 10))
        while speech.any():
            frames = np.flatnonzero(speech)
            gaps = np.flatnonzero(np.diff(frames) > _CLICK_GAP)
            first, last = frames[gaps[-1] + 1] if len(gaps) else frames[0], int(frames[-1])
            level = self._levels[first : last + 1].max()
            click = last - first < _CLICK and level < self.loud_dbfs - _CLICK_BELOW_DB
            if not len(gaps) or not (click or level < min(self.loud_dbfs - _STEPS_BELOW_DB, _STEP_DBFS)):
                return last
            speech[first:] = False
        return None

    def above_db(self) -> float:
        """How far loud speech is above the background, as the median over bands."""
        loud = self._power[self._levels > self.loud_dbfs - 6].mean(axis=0)
        return float(np.median(10 * np.log10(np.maximum(loud / self._background - 1, 1e-3))))


def _speech(power: Power, background: Power, least: float) -> Mask:
    """Which frames hold speech of at least this power above the background."""
    change = np.zeros(len(power) + 1)
    for count, narrower in _MEANS:
        if count > len(power):
            break
        mean = averaged(power, count)
        evidence = _evidence(mean, background, narrower)
        inside = evidence > _IN_BAND
        hit = (evidence.sum(axis=1) > _SPEECH) & (np.where(inside, mean - background, 0).sum(axis=1) > least)
        if count == 1:
            hit &= np.convolve(hit, np.ones(_WITHIN + 1))[: len(hit)] >= _AT_LEAST
        first = np.flatnonzero(hit)
        above = power[first[:, None] + np.arange(count)] - background
        share = np.cumsum(np.maximum((above * inside[first, None]).sum(axis=2), 0), axis=1)
        share /= np.maximum(share[:, -1:], 1e-30)
        np.add.at(change, first + np.argmax(share >= 0.1, axis=1), 1)  # a mean's speech may be in some of its frames
        np.add.at(change, first + np.argmax(share >= 0.9, axis=1) + 1, -1)
    found: Mask = np.cumsum(change)[:-1] > 0
    return found
