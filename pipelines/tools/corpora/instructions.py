"""Recipes of instruction data: which questions are asked, by which voices in which split, and which voice answers.

LLaMA-Omni's InstructS2S-200K was made in this way (arXiv:2409.06666, section 3): texts first, instructions spoken by
several voices, responses by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, TypeGuard

from firstpacket.bench.codec import DecodeError, decode
from firstpacket.bench.errors import CorpusError
from firstpacket.bench.pipeline import OptionValue
from firstpacket.pipelines.tools.corpora.questions import (
    SMALL_WORLD,
    SPLITS,
    Shares,
    Split,
    Text,
    from_file,
    small_world,
)

Drawn = str | int | float | bool | tuple[str, ...] | tuple[int, ...] | tuple[float, ...]
"""An option's value; of a list of texts one is drawn for each take, between two numbers a number is."""
Range = tuple[float, float]

_LONGEST_MS = 10_000
_MOST_TAKES = 100


@dataclass(frozen=True, slots=True)
class Takes:
    """How often each text of a split is spoken, every time by a voice drawn anew."""

    train: int
    validation: int
    test: int

    def of(self, split: Split) -> int:
        """Those of one split."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[split]


@dataclass(frozen=True, slots=True)
class Questions:
    """Where the texts come from, and how they are split."""

    source: str
    """`small-world`, or a JSON or JSONL file of `{question, response}`, relative to the recipe."""
    seed: int
    test: float
    validation: float
    """Shares of the texts held out from training."""
    takes: Takes


@dataclass(frozen=True, slots=True)
class Room:
    """Where something is said: each value is drawn for each take between two."""

    peak_dbfs: Range
    snr_db: Range
    """White noise under the clip, relative to the speech's power."""
    lead_ms: Range
    tail_ms: Range
    speech_above_db: float
    """Speech lasts from the first to the last synthetic sample above this level, relative to the peak."""


@dataclass(frozen=True, slots=True)
class Voices:
    """Voices of one synthesiser for one split: every combination of its options that are lists of texts is a voice."""

    split: Split
    engine: str
    """`flite`, or a voice engine of the cascade (see `bench list`)."""
    licence: str
    options: dict[str, Drawn]
    weight: float = 1.0
    """How often these voices are drawn, relative to others of the split."""
    resample: Range = (1.0, 1.0)
    """The sound is played this much faster and higher: shorter and longer vocal tracts."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The one voice that says the responses."""

    engine: str
    licence: str
    options: dict[str, OptionValue]
    room: Room


@dataclass(frozen=True, slots=True)
class Instructions:
    """Everything that instruction data is made from; the same recipe gives the same files."""

    language: str
    questions: Questions
    room: Room
    voices: tuple[Voices, ...]
    answers: Answers


def decode_instructions(value: Any, path: Path) -> Instructions:
    """A recipe's TOML, checked. Raises `CorpusError` that names the file and what is wrong."""
    try:
        recipe = decode(Instructions, value, str(path))
    except DecodeError as error:
        raise CorpusError(
            f"{path} is not a valid recipe ({error}). See datasets/small-world/recipe.toml for an example."
        ) from error
    _check_questions(path, recipe.questions)
    _check_room(path, "room", recipe.room)
    _check_room(path, "answers.room", recipe.answers.room)
    _check_voices(path, recipe)
    return recipe


def texts(recipe: Instructions, folder: Path) -> tuple[Text, ...]:
    """All questions with their splits; `folder` is the recipe's. Raises `CorpusError` for what is wrong with a file."""
    asked = recipe.questions
    if asked.source == SMALL_WORLD:
        return small_world(Shares(asked.test, asked.validation), asked.seed)
    return from_file(folder / asked.source, Shares(asked.test, asked.validation), asked.seed)


def identities(voices: Voices) -> set[tuple[str, ...]]:
    """Who speaks: the engine, and one text of each option that lists some."""
    listed = [values for values in voices.options.values() if is_choice(values)]
    return {(voices.engine, *chosen) for chosen in product(*listed)}


def is_choice(values: Drawn) -> TypeGuard[tuple[str, ...]]:
    """Whether an option's value is a list of texts, of which one is drawn."""
    return isinstance(values, tuple) and all(isinstance(value, str) for value in values)


def _check_questions(path: Path, asked: Questions) -> None:
    takes = [asked.takes.of(split) for split in SPLITS]
    if (
        min(asked.test, asked.validation) < 0
        or asked.test + asked.validation >= 1
        or not (all(0 <= count <= _MOST_TAKES for count in takes) and asked.seed >= 0)
    ):
        raise CorpusError(
            f"{path}: [questions] is out of range. test and validation are shares from 0 and leave some to train, seed"
            f" is 0 or more, takes are 0 to {_MOST_TAKES}."
        )


def _check_room(path: Path, place: str, room: Room) -> None:
    times, levels = (*room.lead_ms, *room.tail_ms), (*room.peak_dbfs, room.speech_above_db)
    ordered = all(low <= high for low, high in (room.peak_dbfs, room.snr_db, room.lead_ms, room.tail_ms))
    possible = all(0 <= time <= _LONGEST_MS for time in times) and all(0 <= ratio <= 100 for ratio in room.snr_db)
    if not (ordered and possible and all(-100 <= level <= 0 for level in levels)):
        raise CorpusError(
            f"{path}: [{place}] is out of range. Each is [from, to]; levels are from -100 to 0 dB, snr_db from 0 to"
            f" 100, times from 0 to {_LONGEST_MS} ms."
        )


def _check_voices(path: Path, recipe: Instructions) -> None:
    of_split: dict[tuple[str, ...], Split] = {}
    for voices in recipe.voices:
        _check_options(path, voices)
        for who in identities(voices):
            if of_split.setdefault(who, voices.split) != voices.split:
                raise CorpusError(
                    f"{path}: the voice {' '.join(who)} is in {of_split[who]} and in {voices.split}. Use each voice "
                    "in one split only, or results would not be for unseen voices."
                )
    for split in SPLITS:
        if recipe.questions.takes.of(split) and split not in of_split.values():
            raise CorpusError(f'{path}: the split {split} has no voice. Add [[voices]] with split = "{split}".')


def _check_options(path: Path, voices: Voices) -> None:
    if voices.weight <= 0 or not 0.5 <= voices.resample[0] <= voices.resample[1] <= 2:
        raise CorpusError(f"{path}: [[voices]] of {voices.engine}: weight is over 0, resample from 0.5 to 2.")
    for name, value in voices.options.items():
        if isinstance(value, tuple) and not (is_choice(value) and value) and not is_range(value):
            raise CorpusError(f"{path}: {name} = {list(value)}: give a list of texts, or two numbers: from, to.")


def is_range(values: Drawn) -> TypeGuard[tuple[int, int] | tuple[float, float]]:
    """Whether an option's value is two numbers, between which one is drawn."""
    if not isinstance(values, tuple) or len(values) != 2:
        return False
    low, high = values
    return not isinstance(low, str) and not isinstance(high, str) and low <= high
