"""Several channels to one: mixed, or one of them chosen.

A mix is the mean of all channels that hold sound. Two cases are told apart from plain stereo, since a mean would
falsify them: channels of opposite phase, which cancel out, so the loudest is taken instead; and channels with one
speaker each, as recorders of calls write them, whose mix ends with the last speaker.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

Channel = Literal["mix", "left", "right"]
ChannelMark = Literal["mixed", "one-channel", "opposite-phase", "one-speaker-per-channel"]
Block = npt.NDArray[np.float32]

_FRAME_S = 0.032
_BAND_HZ = (200.0, 4000.0)
"""Where speech has much of its energy; an offset and hum lie outside."""
_SILENT_DB = 40.0
"""A channel this far below the loudest holds no sound of its own."""
_ALIKE = 1e-3
"""Channels are copies of one if what differs has at most this share of their power."""
_CANCELS = 0.5
"""Unrelated channels give a mix of 1 by `_retained`; less than this, and what they share cancels out."""
_ALONE_DB = 12.0
_ALONE_SHARE = 0.2
"""Each of two speakers is heard alone, so much louder in one channel, in at least this share of all speech."""
_SPEECH_DB = 30.0
"""Frames up to this far below the loudest count as speech."""


def to_mono(
    block: Block, rate: int, channel: Channel = "mix"
) -> tuple[npt.NDArray[np.float32], tuple[ChannelMark, ...]]:
    """One channel of `block`, float32 `(n, channels)` at `rate` Hz, as `(n,)`; and what is notable about its making.

    `left` and `right` are the first and the second channel; a recording of one channel is used as it is.
    """
    if block.shape[1] == 1:
        return block[:, 0], ()
    if channel != "mix":
        return block[:, 0 if channel == "left" else 1], ()
    spectra = _spectra(block, rate)
    power = np.sum(np.abs(spectra) ** 2, axis=2)
    total = power.sum(axis=0)
    sounding = np.flatnonzero(total > total.max() * 10 ** (-_SILENT_DB / 10))
    if len(sounding) == 0:
        return block.mean(axis=1), ()
    if len(sounding) == 1:
        return block[:, sounding[0]], ("one-channel",)
    spectra, power = spectra[:, sounding], power[:, sounding]
    if _difference(spectra) <= _ALIKE:
        return block[:, sounding].mean(axis=1), ()
    if _retained(spectra) < _CANCELS:
        return block[:, np.argmax(total)], ("opposite-phase",)
    apart = _speakers_apart(power)
    return block[:, sounding].mean(axis=1), ("one-speaker-per-channel" if apart else "mixed",)


def _spectra(block: Block, rate: int) -> npt.NDArray[np.complex64]:
    """Spectrum of each whole frame in the band of speech: `(frames, channels, bins)`."""
    length = max(16, min(round(_FRAME_S * rate), len(block)))
    frames = max(1, len(block) // length)
    window = np.hanning(length).astype(np.float32)
    low, high = (round(hertz * length / rate) for hertz in _BAND_HZ)
    band = slice(low, min(high, length // 2) + 1)
    spectra = np.empty((frames, block.shape[1], len(range(length)[: length // 2 + 1][band])), np.complex64)
    for channel in range(block.shape[1]):
        whole = np.resize(block[:, channel], (frames, length))
        spectra[:, channel] = np.fft.rfft(whole * window)[:, band]
    return spectra


def _difference(spectra: npt.NDArray[np.complex64]) -> float:
    """Power of what is not common to all channels, as a share of all power."""
    apart = spectra - spectra.mean(axis=1, keepdims=True)
    return float(np.sum(np.abs(apart) ** 2) / np.sum(np.abs(spectra) ** 2))


def _retained(spectra: npt.NDArray[np.complex64]) -> float:
    """Power of the mix, relative to that of a mix of channels that have nothing in common."""
    unrelated = np.sum(np.abs(spectra) ** 2) / spectra.shape[1] ** 2
    return float(np.sum(np.abs(spectra.mean(axis=1)) ** 2) / unrelated)


def _speakers_apart(power: npt.NDArray[np.float32]) -> bool:
    """Whether at least two channels are each heard alone for a good part of the speech."""
    levels = 10 * np.log10(np.maximum(power, 1e-20))
    loudest = np.sort(levels, axis=1)
    speech = loudest[:, -1] > loudest[:, -1].max() - _SPEECH_DB
    alone = speech & (loudest[:, -1] - loudest[:, -2] > _ALONE_DB)
    heard = np.bincount(np.argmax(levels, axis=1)[alone], minlength=levels.shape[1])
    return int(np.sum(heard >= _ALONE_SHARE * speech.sum())) >= 2
