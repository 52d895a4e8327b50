"""Recordings whose end of speech is known: clips of the demo with silence, noise, hum, offsets and levels put on them.

Speech keeps what fades below the end (-40 dB of its peak) until the demo's own silence, as real recordings do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from firstpacket.bench.corpus.utterance import Utterance
from firstpacket.bench.pipeline import SAMPLE_RATE, Samples

Sound = npt.NDArray[np.float64]

COLOURS: dict[str, Callable[[Sound], Sound]] = {
    "white": lambda hertz: np.ones(len(hertz)),
    "pink": lambda hertz: 1 / np.sqrt(np.maximum(hertz, 20)),
    "brown": lambda hertz: 1 / np.maximum(hertz, 20),
    "fan": lambda hertz: 1 / np.sqrt(1 + (hertz / 300) ** 2),
}
"""Amplitude of noise by frequency."""


@dataclass(frozen=True, slots=True)
class Constructed:
    """A recording of a kind, rounded to 16 bits, and where its speech ends."""

    kind: str
    samples: Samples
    end_ms: float


def constructed(clips: Sequence[Utterance], count: int, seed: int) -> Iterator[Constructed]:
    """So many recordings, all kinds in turn."""
    random = np.random.default_rng(seed)
    for number in range(count):
        kind = list(KINDS)[number % len(KINDS)]
        yield _made(clips[random.integers(len(clips))], kind, random)


def _made(clip: Utterance, kind: str, random: np.random.Generator) -> Constructed:
    end = round(clip.speech_end_ms * SAMPLE_RATE / 1000)
    behind_s = (0.0, 0.15) if kind == "short" else (0.15, 2.0)
    fading = clip.samples[: end + round(random.uniform(0.02, 0.02 if kind == "short" else 0.3) * SAMPLE_RATE)]
    before = round(random.uniform(0, 0.5) * SAMPLE_RATE)
    sound = np.zeros(before + max(len(fading), end + round(random.uniform(*behind_s) * SAMPLE_RATE)))
    peak_dbfs = random.uniform(-70, -50) if kind.startswith("quiet") else random.uniform(-30, -3)
    sound[before : before + len(fading)] = fading / np.abs(fading).max() * 10 ** (peak_dbfs / 20)
    end += before
    sound = KINDS[kind](sound, end, random)
    sound = np.round(sound * min(1, 0.99 / np.abs(sound).max()) * 2**15) / 2**15
    return Constructed(kind, sound.astype(np.float32), end * 1000 / SAMPLE_RATE)


def _noise(sound: Sound, end: int, random: np.random.Generator, snr_db: tuple[float, float] = (10, 40)) -> Sound:
    """Noise of any colour, so far below the speech (RMS of its 10 ms windows up to 30 dB below the loudest)."""
    hertz = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
    colour = list(COLOURS.values())[random.integers(len(COLOURS))]
    noise = np.fft.irfft(np.fft.rfft(random.standard_normal(len(sound))) * colour(hertz), len(sound))
    powers = np.mean(sound[: end // 160 * 160].reshape(-1, 160) ** 2, axis=1)
    speech = np.mean(powers[powers > np.percentile(powers, 95) * 1e-3])
    return noise * np.sqrt(speech / np.mean(noise**2)) * 10 ** (-random.uniform(*snr_db) / 20)


def _offset(sound: Sound, random: np.random.Generator) -> float:
    return float(random.choice([-1, 1]) * 10 ** random.uniform(-2.5, -0.4))


def _drift(sound: Sound, random: np.random.Generator) -> Sound:
    time = np.arange(len(sound)) / SAMPLE_RATE
    forms = (
        time / time[-1],
        np.exp(-time / random.uniform(0.2, 2)),
        np.sin(2 * np.pi * (random.uniform(0.1, 2) * time + random.uniform())),
    )
    return _offset(sound, random) * forms[random.integers(len(forms))]


def _hum(sound: Sound, random: np.random.Generator) -> Sound:
    phase = 2 * np.pi * random.choice([50, 60]) * np.arange(len(sound)) / SAMPLE_RATE
    harmonics = sum(random.uniform(0, 0.3) / k * np.sin(k * phase + k) for k in range(2, 8))
    return 10 ** (random.uniform(-50, -20) / 20) * (np.sin(phase) + harmonics)


def _appended(sound: Sound, end: int, random: np.random.Generator) -> Sound:
    noise = _noise(sound, end, random)
    noise[: end + round(random.uniform(0, 0.1) * SAMPLE_RATE)] = 0
    return sound + noise


def _mixed(sound: Sound, end: int, random: np.random.Generator) -> Sound:
    low = _drift(sound, random) if random.random() < 0.5 else _offset(sound, random) + _hum(sound, random)
    return sound + _noise(sound, end, random) + low


KINDS: dict[str, Callable[[Sound, int, np.random.Generator], Sound]] = {
    "silence": lambda sound, end, random: sound,
    "short": lambda sound, end, random: sound + (_noise(sound, end, random) if random.random() < 0.5 else 0),
    "noise": lambda sound, end, random: sound + _noise(sound, end, random),
    "noise after": _appended,
    "offset": lambda sound, end, random: sound + _offset(sound, random),
    "drift": lambda sound, end, random: sound + _drift(sound, random),
    "hum": lambda sound, end, random: sound + _hum(sound, random),
    "quiet": lambda sound, end, random: sound,
    "quiet, noise": lambda sound, end, random: sound + _noise(sound, end, random, (20, 40)),
    "all at once": _mixed,
}
"""What is put on a clip that ends, with its speech, at a sample; `short`: at most 150 ms follow the speech."""
