"""The clips of a split as a corpus of their own, and what is known of every one."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from firstpacket.bench.corpus.manifest import MANIFEST, read_manifest, write_manifest
from firstpacket.bench.errors import CorpusError
from firstpacket.bench.quality.wer import words
from firstpacket.pipelines.tools.training.data import texts

TRAIN = "train"
LINK = "data"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Question:
    """One clip that is asked."""

    clip: str
    text: str
    answers: tuple[str, ...]
    voice: str
    topic: str
    """Empty where the corpus names none."""
    new_text: bool
    """Whether these words were never trained on, in any voice."""
    new_answer: bool
    """Whether the answer was never an answer in training."""


@dataclass(frozen=True, slots=True)
class Exam:
    """The clips that are asked, and how often every answer was given in training."""

    questions: tuple[Question, ...]
    trained_answers: Counter[str]
    """By text; every question text of the split for training counts once."""


def read_exam(data: Path, split: str, limit: int | None = None, seed: int = 0) -> Exam:
    """The clips of `split`, or `limit` of them drawn by `seed`, in the manifest's order. Raises `CorpusError`."""
    lines = [entry.line for entry in read_manifest(data / MANIFEST) if entry.line.split == split]
    if not lines:
        raise CorpusError(
            f"{data / MANIFEST} has no clip in the split '{split}'. Build the corpus again, or choose another split."
        )
    for line in lines:
        if not line.text or not line.answers:
            raise CorpusError(f"{data / MANIFEST}: clip '{line.id}' has no text or no answers, and cannot be scored.")
    trained = texts(data, TRAIN)
    topics = {words(text.question): text.topic for text in texts(data, split)}
    asked, answered = ({words(getattr(text, name)) for text in trained} for name in ("question", "response"))
    questions = tuple(
        Question(
            line.id,
            line.text or "",
            line.answers,
            line.voice,
            topics.get(words(line.text or ""), ""),
            words(line.text or "") not in asked,
            all(words(answer) not in answered for answer in line.answers),
        )
        for line in drawn(lines, limit, seed)
    )
    return Exam(questions, Counter(text.response for text in trained))


def drawn(things: Sequence[T], limit: int | None, seed: int) -> tuple[T, ...]:
    """`limit` of the things, drawn by `seed`, in their order; all, if there are no more or no limit."""
    if limit is None or limit >= len(things):
        return tuple(things)
    return tuple(things[place] for place in sorted(random.Random(seed).sample(range(len(things)), limit)))


def as_corpus(data: Path, exam: Exam, folder: Path) -> Path:
    """A corpus of the exam's clips alone; their sound stays where it is, behind a link."""
    asked = {question.clip for question in exam.questions}
    lines = [entry.line for entry in read_manifest(data / MANIFEST) if entry.line.id in asked]
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / LINK
    link.unlink(missing_ok=True)
    link.symlink_to(data.resolve())
    write_manifest(folder / MANIFEST, (replace(line, audio=f"{LINK}/{line.audio}") for line in lines))
    return folder
