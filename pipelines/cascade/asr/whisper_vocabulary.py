"""Checks that a tokenizer belongs to its model: another model's would give fluent nonsense."""

from __future__ import annotations

import json
from typing import Any

from firstpacket.bench.errors import WeightsError
from firstpacket.pipelines.cascade.asr.whisper_folders import WhisperCheckpoint

START, END = "<|startoftranscript|>", "<|endoftext|>"


def check_folder(found: WhisperCheckpoint) -> Any:
    """The tokenizer of a folder in transformers' layout. Raises `WeightsError` if it is not this model's."""
    tokenizer, config = _tokenizer(found), found.json("config.json")
    size, highest = config.get("vocab_size"), max(tokenizer.get_vocab().values(), default=-1)
    if not isinstance(size, int) or highest >= size:
        raise _misfit(found, f"its ids go up to {highest}, but the model's vocabulary has {size}")
    for mark, field in ((START, "decoder_start_token_id"), (END, "eos_token_id")):
        here, there = tokenizer.token_to_id(mark), config.get(field)
        if here != there:
            raise _misfit(found, f"its {mark} is {here}, but the model's {field} is {there}")
    return tokenizer


def check_converted(found: WhisperCheckpoint) -> None:
    """The same for a folder in CTranslate2's layout, where the model has its vocabulary in a file of its own."""
    tokenizer, words = _tokenizer(found), _words(found)
    for mark in (START, END):
        here, there = tokenizer.token_to_id(mark), words.index(mark) if mark in words else None
        if here != there:
            raise _misfit(found, f"its {mark} is {here}, but in the model's vocabulary it is {there}")


def _tokenizer(found: WhisperCheckpoint) -> Any:
    from tokenizers import Tokenizer

    path = found.path / "tokenizer.json"
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception for a file that it cannot parse
        raise WeightsError(f"{path} is not a readable tokenizer: {error}. Download it again.") from error


def _words(found: WhisperCheckpoint) -> list[str]:
    """Older models have a line for each word, newer ones a JSON list."""
    lines, listed = found.path / "vocabulary.txt", found.path / "vocabulary.json"
    try:
        if lines.is_file():
            return lines.read_text(encoding="utf-8").split("\n")
        return list(json.loads(listed.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise WeightsError(
            f"The model's vocabulary, {listed}, cannot be read: {error}. Download or convert the model again."
        ) from error


def _misfit(found: WhisperCheckpoint, why: str) -> WeightsError:
    return WeightsError(
        f"The tokenizer in {found.path} does not belong to this model: {why}. Copy the tokenizer.json published with "
        "these weights."
    )
