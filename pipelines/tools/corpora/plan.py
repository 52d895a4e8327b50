"""Who asks what, and how it sounds: everything that chance decides about instruction data, drawn from the seed."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firstpacket.bench.pipeline import OptionValue
from firstpacket.pipelines.tools.corpora.instructions import Drawn, Instructions, Range, Room, Voices, is_choice
from firstpacket.pipelines.tools.corpora.questions import SPLITS, Split, Text


@dataclass(frozen=True, slots=True)
class Take:
    """One utterance to be spoken: by which voice, and what happens to its sound. `id` also names its file."""

    id: str
    text: str
    engine: str
    options: dict[str, OptionValue]
    voice: str
    """The engine and who speaks, for people."""
    licence: str
    seed: int
    """Of the noise."""
    resample: float
    peak_dbfs: float
    snr_db: float
    lead_ms: int
    tail_ms: int
    speech_above_db: float


def draw_takes(recipe: Instructions, texts: Sequence[Text]) -> dict[str, Text]:
    """Ids of all takes, `SPLIT-TEXT-TAKE`, and what is said in each."""
    numbered: dict[Split, int] = dict.fromkeys(SPLITS, 0)
    said = {}
    for text in texts:
        numbered[text.split] += 1
        for take in range(recipe.questions.takes.of(text.split)):
            said[f"{text.split}-{numbered[text.split]:05d}-{take + 1}"] = text
    return said


def draw_take(recipe: Instructions, name: str, text: Text) -> Take:
    """The take called `name`; it depends on the seed and the name alone, so that a new text changes no other clip."""
    random = np.random.default_rng([recipe.questions.seed, zlib.crc32(name.encode())])
    return _take(name, text.question, _voices(recipe, text.split, random), recipe.room, recipe.questions.seed, random)


def answer_take(recipe: Instructions, name: str, text: str) -> Take:
    """The response `text` by the voice that answers."""
    how, seed = recipe.answers, recipe.questions.seed
    voices = Voices("train", how.engine, how.licence, dict(how.options))
    return _take(name, text, voices, how.room, seed, np.random.default_rng([seed, zlib.crc32(name.encode())]))


def _take(name: str, text: str, voices: Voices, room: Room, seed: int, random: np.random.Generator) -> Take:
    options = {option: _drawn(value, random) for option, value in voices.options.items()}
    chosen = [str(options[option]) for option, value in voices.options.items() if is_choice(value)]
    return Take(
        id=name,
        text=text,
        engine=voices.engine,
        options=options,
        voice=" ".join((voices.engine, *chosen)),
        licence=voices.licence,
        seed=seed,
        resample=_between(voices.resample, random),
        peak_dbfs=_between(room.peak_dbfs, random),
        snr_db=_between(room.snr_db, random),
        lead_ms=round(_between(room.lead_ms, random)),
        tail_ms=round(_between(room.tail_ms, random)),
        speech_above_db=room.speech_above_db,
    )


def _voices(recipe: Instructions, split: Split, random: np.random.Generator) -> Voices:
    able = [voices for voices in recipe.voices if voices.split == split]
    weights = np.array([voices.weight for voices in able])
    return able[int(random.choice(len(able), p=weights / weights.sum()))]


def _drawn(value: Drawn, random: np.random.Generator) -> OptionValue:
    if not isinstance(value, tuple):
        return value
    if is_choice(value):
        return value[int(random.integers(len(value)))]
    low, high = float(value[0]), float(value[1])
    if all(isinstance(end, int) for end in value):
        return int(random.integers(int(low), int(high) + 1))
    return _between((low, high), random)


def _between(ends: Range, random: np.random.Generator) -> float:
    return round(float(random.uniform(*ends)), 3)
