"""Training data: a corpus of questions and answers made by `bench corpus build`.

manifest.jsonl   clips of questions, with split, voice and the one answer
answers.jsonl    {"text", "audio"}: every distinct answer in the answer voice
texts.jsonl      {"question", "response", "split", "topic"}: every question, spoken or not
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from firstpacket.bench.corpus.audio import read_clip
from firstpacket.bench.corpus.manifest import MANIFEST, read_manifest, read_text
from firstpacket.bench.errors import CorpusError
from firstpacket.bench.pipeline import SAMPLE_RATE, Samples


@dataclass(frozen=True, slots=True)
class Clip:
    """One spoken question and its answer."""

    id: str
    path: Path
    text: str
    answer: str
    voice: str
    split: str
    sha256: str
    speech_end_ms: float


@dataclass(frozen=True, slots=True)
class Text:
    """One question and its answer, in writing."""

    question: str
    response: str
    split: str
    topic: str


def clips(data: Path, split: str) -> tuple[Clip, ...]:
    """Clips of a split. Raises `CorpusError` if there are none, or if one lacks its text or answer."""
    found = []
    for entry in read_manifest(data / MANIFEST):
        line = entry.line
        if line.split != split:
            continue
        if not line.text or not line.answers:
            raise CorpusError(f"{entry.where}: clip '{line.id}' has no text or no answer. {_BUILD}")
        end_ms = math.inf if line.speech_end_ms is None else line.speech_end_ms
        found.append(Clip(line.id, entry.audio, line.text, line.answers[0], line.voice, split, line.sha256, end_ms))
    if not found:
        raise CorpusError(f"{data / MANIFEST} has no clip in the split '{split}'. {_BUILD}")
    return tuple(found)


def answers(data: Path) -> dict[str, Path]:
    """Sound files of the answers, by their texts. Raises `CorpusError`."""
    found: dict[str, Path] = {}
    for where, line in _lines(data / "answers.jsonl", ("text", "audio")):
        path = (data / line["audio"]).resolve()
        if not path.is_relative_to(data.resolve()):
            raise CorpusError(f"{where}: {line['audio']!r} is outside the corpus folder. {_BUILD}")
        found[line["text"]] = path
    return found


def texts(data: Path, split: str) -> tuple[Text, ...]:
    """Questions and answers of a split, in writing. Raises `CorpusError` if there are none."""
    lines = _lines(data / "texts.jsonl", ("question", "response", "split"))
    every = (Text(one["question"], one["response"], one["split"], one.get("topic", "")) for _, one in lines)
    found = tuple(text for text in every if text.split == split)
    if not found:
        raise CorpusError(f"{data / 'texts.jsonl'} has no text in the split '{split}'. {_BUILD}")
    return found


def speech(clip: Clip) -> Samples:
    """A clip up to the end of speech, as pipelines receive it: float32 `(n,)` at 16 kHz. Raises `CorpusError`."""
    samples = sound(clip.path)
    return samples if math.isinf(clip.speech_end_ms) else samples[: round(clip.speech_end_ms * SAMPLE_RATE / 1000)]


def sound(path: Path) -> Samples:
    """A clip's samples: float32 `(n,)` at 16 kHz."""
    return np.asarray(read_clip(path).samples, np.float32)


_BUILD = "Build it with: bench corpus build datasets/small-world/recipe.toml -o DATA"


def _lines(path: Path, fields: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, text in enumerate(read_text(path).splitlines(), start=1):
        where = f"{path}:{number}"
        try:
            line = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise CorpusError(f"{where} is not valid JSON ({error}). {_BUILD}") from error
        if not isinstance(line, dict) or not all(isinstance(line.get(field), str) for field in fields):
            raise CorpusError(f"{where} is not an object with the texts {', '.join(fields)}. {_BUILD}")
        yield where, line
