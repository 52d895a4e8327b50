"""A recipe to a corpus: synthetic speech whose end is known to the sample."""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path

import numpy as np

from bench.corpus.decoders import INSTALL
from bench.corpus.manifest import MANIFEST, ManifestLine, write_manifest
from bench.errors import CorpusError, MissingDependency
from bench.pipeline import SAMPLE_RATE, Samples
from pipelines.corpora.engines import speak
from pipelines.corpora.recipe import Finish, Recipe, Sentence, read_recipe

CLIPS = "clips"
_FADE_MS = 20
"""What a voice still gives below the threshold fades out over this long; a hard cut would be heard as a click."""


def build(recipe: Path, out: Path) -> int:
    """Speak every sentence of the recipe, write `out/clips/ID.flac` and `out/manifest.jsonl`; returns how many.

    The same recipe, with the same synthesisers, gives the same bytes. Raises `CorpusError`, `UnknownName` or
    `MissingDependency`; the manifest is written last, so a build that fails leaves the old one.
    """
    plan = read_recipe(recipe)
    try:
        (out / CLIPS).mkdir(parents=True, exist_ok=True)
        write_manifest(out / MANIFEST, [_make(plan, sentence, out) for sentence in plan.sentences])
    except OSError as error:
        raise CorpusError(f"{out}: cannot be written ({error.strerror}). Give another folder with -o.") from error
    return len(plan.sentences)


def _make(plan: Recipe, sentence: Sentence, out: Path) -> ManifestLine:
    voice = plan.voices[sentence.voice]
    clip, start, end = finish(speak(voice, sentence.text), plan.finish, sentence.id)
    audio = out / CLIPS / f"{sentence.id}.flac"
    _write_flac(audio, clip)
    return ManifestLine(
        id=sentence.id,
        audio=f"{CLIPS}/{audio.name}",
        text=sentence.text,
        speech_start_ms=_ms(start),
        speech_end_ms=_ms(end),
        speech_end_method=f"known from the synthesis: last sample above {plan.finish.speech_above_db:g} dB of the peak",
        language=plan.language,
        voice=f"{voice.engine} {voice.name}",
        speaker_kind="tts",
        licence=voice.licence,
        sha256=hashlib.sha256(audio.read_bytes()).hexdigest(),
    )


def finish(speech: Samples, how: Finish, name: str) -> tuple[Samples, int, int]:
    """Cut synthetic speech at its borders, set its level, put silence around it and noise under it.

    `speech` is mono float32 `(n,)` at 16 kHz without noise. Returns the clip and the samples between which speech lies
    in it. The noise depends on the seed and on `name` alone, so that a new sentence changes no other clip.
    """
    level = np.abs(speech)
    peak = float(level.max(initial=0.0))
    if peak == 0:
        raise CorpusError(f"'{name}': the voice said nothing. Change the text or the voice.")
    heard = np.flatnonzero(level > peak * _gain(how.speech_above_db))
    first, past = int(heard[0]), int(heard[-1]) + 1
    start, end = _samples(how.lead_ms), _samples(how.lead_ms) + past - first
    clip = np.zeros(end + _samples(how.tail_ms))
    clip[start:end] = speech[first:past]
    fading = speech[past : past + min(_samples(_FADE_MS), _samples(how.tail_ms))]
    clip[end : end + len(fading)] = fading * np.linspace(1, 0, len(fading))
    clip *= _gain(how.peak_dbfs) / peak
    clip += _gain(how.noise_dbfs) * np.random.default_rng([how.seed, zlib.crc32(name.encode())]).standard_normal(
        len(clip)
    )
    return clip.astype(np.float32), start, end


def _write_flac(path: Path, clip: Samples) -> None:
    try:
        import soundfile
    except (ImportError, OSError) as error:
        raise MissingDependency(f"FLAC is written by soundfile. Install: {INSTALL}") from error
    soundfile.write(str(path), clip, SAMPLE_RATE, subtype="PCM_16")


def _gain(decibels: float) -> float:
    return float(10 ** (decibels / 20))


def _samples(milliseconds: int) -> int:
    return milliseconds * SAMPLE_RATE // 1000


def _ms(samples: int) -> float:
    return samples * 1000 / SAMPLE_RATE
