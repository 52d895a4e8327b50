"""Synthetic speech to clips: cut, level, silence around it, noise under it."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from firstpacket.bench.corpus.decoders import INSTALL
from firstpacket.bench.errors import CorpusError, MissingDependency
from firstpacket.bench.pipeline import SAMPLE_RATE, Samples
from firstpacket.pipelines.tools.corpora.recipe import Finish

_FADE_MS = 20
"""What a voice still gives below the threshold fades out over this long; a hard cut would be heard as a click."""


def finish(speech: Samples, how: Finish, name: str) -> tuple[Samples, int, int]:
    """Trim synthetic speech, set its level, add silence around it and noise under it.

    `speech` is mono float32 `(n,)` at 16 kHz without noise. Returns the clip and the samples between which speech lies
    in it. The noise depends on the seed and on `name` alone, so that a new sentence changes no other clip.
    """
    level = np.abs(speech)
    peak = float(level.max(initial=0.0))
    if peak == 0:
        raise CorpusError(f"'{name}': the voice produced no sound. Change the text or the voice.")
    heard = np.flatnonzero(level > peak * gain(how.speech_above_db))
    first, past = int(heard[0]), int(heard[-1]) + 1
    start, end = _samples(how.lead_ms), _samples(how.lead_ms) + past - first
    clip = np.zeros(end + _samples(how.tail_ms))
    clip[start:end] = speech[first:past]
    fading = speech[past : past + min(_samples(_FADE_MS), _samples(how.tail_ms))]
    clip[end : end + len(fading)] = fading * np.linspace(1, 0, len(fading))
    clip *= gain(how.peak_dbfs) / peak
    clip += gain(how.noise_dbfs) * np.random.default_rng([how.seed, zlib.crc32(name.encode())]).standard_normal(
        len(clip)
    )
    return clip.astype(np.float32), start, end


def write_flac(path: Path, clip: Samples) -> None:
    """Write mono float32 `(n,)` at 16 kHz with 16 bits. Raises `MissingDependency`."""
    try:
        import soundfile
    except (ImportError, OSError) as error:
        raise MissingDependency(f"Writing FLAC needs soundfile. Install it with: {INSTALL}") from error
    soundfile.write(str(path), clip, SAMPLE_RATE, subtype="PCM_16")


def gain(decibels: float) -> float:
    """The factor of amplitudes."""
    return float(10 ** (decibels / 20))


def _samples(milliseconds: int) -> int:
    return milliseconds * SAMPLE_RATE // 1000
