"""Recipes: what is said by which voice, and how the clips are finished."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from firstpacket.bench.codec import DecodeError, decode
from firstpacket.bench.corpus.manifest import read_text
from firstpacket.bench.errors import CorpusError, UnknownName

_FILE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice of a speech synthesiser, and the licence of what it says."""

    engine: Literal["flite", "espeak-ng"]
    name: str
    licence: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """One utterance to be spoken; `id` also names its file."""

    id: str
    voice: str
    text: str


@dataclass(frozen=True, slots=True)
class Finish:
    """How synthetic speech becomes a clip. Levels are relative to full scale (dBFS) or to the clip's peak (dB)."""

    peak_dbfs: float
    lead_ms: int
    """Silence before the speech."""
    tail_ms: int
    """Silence after it, so that the clip does not end where the speech does."""
    noise_dbfs: float
    """White noise (RMS) under the whole clip."""
    speech_above_db: float
    """Speech lasts from the first to the last synthetic sample above this level, relative to the peak."""
    seed: int


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that a corpus is made from; the same recipe gives the same files."""

    language: str
    finish: Finish
    voices: dict[str, Voice]
    sentences: tuple[Sentence, ...]


def read_toml(path: Path) -> dict[str, Any]:
    """A recipe of either kind, not yet checked. Raises `CorpusError`."""
    try:
        return tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise _not_a_recipe(path, error) from error


def _not_a_recipe(path: Path, error: Exception) -> CorpusError:
    return CorpusError(f"{path} is not a valid recipe ({error}). See datasets/demo/recipe.toml for an example.")


def read_recipe(path: Path) -> Recipe:
    """Read and check a recipe. Raises `CorpusError` that names the file and what is wrong, or `UnknownName`."""
    try:
        recipe = decode(Recipe, read_toml(path), str(path))
    except DecodeError as error:
        raise _not_a_recipe(path, error) from error
    if not recipe.sentences:
        raise CorpusError(f"{path} has no sentences. Add [[sentences]] with id, voice and text.")
    _check_finish(path, recipe.finish)
    _check_sentences(path, recipe)
    return recipe


def _check_finish(path: Path, how: Finish) -> None:
    levels = (how.peak_dbfs, how.noise_dbfs, how.speech_above_db)
    if min(how.lead_ms, how.tail_ms, how.seed) < 0 or not all(-200 <= level <= 0 for level in levels):
        raise CorpusError(
            f"{path}: [finish] is out of range. lead_ms, tail_ms and seed are 0 or more, levels from -200 to 0 dB."
        )


def _check_sentences(path: Path, recipe: Recipe) -> None:
    seen: set[str] = set()
    for sentence in recipe.sentences:
        if not _FILE_NAME.fullmatch(sentence.id) or sentence.id in seen:
            raise CorpusError(
                f"{path}: sentence id '{sentence.id}' is a duplicate or not a valid file name. Use a-z, 0-9, - and _."
            )
        if sentence.voice not in recipe.voices:
            raise UnknownName("voice", sentence.voice, recipe.voices, f"It is used by '{sentence.id}' in {path}.")
        seen.add(sentence.id)
