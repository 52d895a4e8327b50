"""Questions and their responses: where they come from, and which of them are kept from training."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from firstpacket.bench.codec import DecodeError, decode
from firstpacket.bench.corpus.manifest import parse_json, read_text
from firstpacket.bench.errors import CorpusError
from firstpacket.pipelines.tools.corpora.small_world import TOPICS, Topic, sentence

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
SMALL_WORLD = "small-world"

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LONGEST = 2000
"""Characters; the longest responses of InstructS2S-200K have about half of that."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and its response, as a file gives them."""

    question: str
    response: str


@dataclass(frozen=True, slots=True)
class Text:
    """A question text, its response, and what it may be used for. Files have no topics."""

    question: str
    response: str
    split: Split
    topic: str = ""


@dataclass(frozen=True, slots=True)
class Shares:
    """How much of all texts is kept from training, each from 0 to under 1."""

    test: float
    validation: float


def small_world(shares: Shares, seed: int) -> tuple[Text, ...]:
    """Every fact in every wording.

    Split by wording: each fact is trained in some wordings and kept for validation and test in others, and each
    wording is trained with other facts. Raises `CorpusError` if the shares leave nothing to train.
    """
    return tuple(text for topic in TOPICS for text in _split_topic(topic, shares, seed))


def _split_topic(topic: Topic, shares: Shares, seed: int) -> Iterable[Text]:
    """The table of facts and wordings is walked along its diagonals, so that none loses much more than another."""
    random = np.random.default_rng([seed, zlib.crc32(topic.name.encode())])
    facts, wordings = random.permutation(len(topic.facts)), random.permutation(len(topic.wordings))
    count = len(facts) * len(wordings)
    splits = _splits(count, shares)
    for place in range(count):
        diagonal, row = divmod(place, len(facts))
        fact = topic.facts[facts[row]]
        wording = topic.wordings[wordings[(row + diagonal) % len(wordings)]]
        yield Text(sentence(wording, fact), sentence(topic.response, fact), splits[place], topic.name)


def from_file(path: Path, shares: Shares, seed: int) -> tuple[Text, ...]:
    """Questions and responses of a JSON list, or of a JSONL file, of objects `{"question": ..., "response": ...}`.

    Texts of the same question are in the same split. Raises `CorpusError` that names the place, or says that nothing is
    left to train.
    """
    pairs = _read_pairs(path)
    questions = sorted({pair.question for pair in pairs})
    order = np.random.default_rng(seed).permutation(len(questions))
    splits = dict(zip((questions[place] for place in order), _splits(len(questions), shares), strict=True))
    return tuple(Text(pair.question, pair.response, splits[pair.question]) for pair in dict.fromkeys(pairs))


def _splits(count: int, shares: Shares) -> Sequence[Split]:
    kept = math.ceil(count * shares.test), math.ceil(count * shares.validation)
    if sum(kept) >= count:
        raise CorpusError(
            f"{count} texts are too few: after holding out test and validation, none are left for training."
        )
    return [split for split, many in zip(SPLITS, (count - sum(kept), *kept[::-1]), strict=True) for _ in range(many)][
        ::-1
    ]


def _read_pairs(path: Path) -> tuple[Pair, ...]:
    text = read_text(path)
    if path.suffix == ".jsonl":
        lines = [(f"{path}:{number}", line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
        values = [(where, parse_json(line, where)) for where, line in lines]
    else:
        listed = parse_json(text, str(path))
        if not isinstance(listed, list):
            raise CorpusError(f'{path} is not a list. Expected [{{"question": ..., "response": ...}}, ...].')
        values = [(f"{path}[{number}]", value) for number, value in enumerate(listed)]
    if not values:
        raise CorpusError(f'{path} has no questions. Expected objects {{"question": ..., "response": ...}}.')
    return tuple(_pair(where, value) for where, value in values)


def _pair(where: str, value: object) -> Pair:
    try:
        pair = decode(Pair, value, where)
    except DecodeError as error:
        raise CorpusError(f'{error}. Each entry is {{"question": ..., "response": ...}}.') from error
    for name, text in (("question", pair.question), ("response", pair.response)):
        if not text.strip() or len(text) > _LONGEST or _CONTROL.search(text):
            raise CorpusError(
                f"{where}: {name} {text[:40]!r} cannot be spoken. Use 1 to {_LONGEST} characters without line breaks."
            )
    return replace(pair, question=pair.question.strip(), response=pair.response.strip())
