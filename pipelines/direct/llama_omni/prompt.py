"""The prompt: text, the user's speech in its midst, text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor

from bench.errors import WeightsError

SPEECH_TOKEN = -200
"""Stands in a prompt's ids where the speech embeddings go."""

SPEECH_MARK = "<speech>"
BEGIN = "<|begin_of_text|>"
SYSTEM = (
    "You are a helpful language and speech assistant. You are able to understand the speech content that the user "
    "provides, and assist the user with a variety of tasks using natural language."
)
INSTRUCTION = f"{SPEECH_MARK}\nPlease directly answer the questions in the user's speech."
HEADER = "<|start_header_id|>{}<|end_header_id|>\n\n"
END_OF_TURN = "<|eot_id|>"
SPECIAL_TOKENS = (BEGIN, "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", END_OF_TURN)

TEMPLATE = "".join(
    (
        BEGIN,
        *(HEADER.format("system"), SYSTEM, END_OF_TURN),
        *(HEADER.format("user"), INSTRUCTION, END_OF_TURN),
        HEADER.format("assistant"),
    )
)
"""The published conversation format "llama_3"."""


class TextTokenizer:
    """Text to ids and back."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer: Any = tokenizer

    @classmethod
    def from_folder(cls, folder: Path) -> TextTokenizer:
        """The checkpoint's own tokenizer. Raises `WeightsError` when there is none or it cannot be read."""
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise WeightsError(
                f"{folder} has no tokenizer.json, without which the prompt cannot be written. "
                "Copy the one that was published with these weights into that folder."
            )
        try:
            return cls(Tokenizer.from_file(str(path)))
        except Exception as error:  # the library raises bare Exception for a file it cannot parse
            raise WeightsError(f"{path} cannot be read as a tokenizer: {error}. Fetch it again.") from error

    def encode(self, text: str) -> list[int]:
        """Ids of a text; special tokens written in it are recognised, none is added."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some ids, without special tokens."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True)).strip()


def prompt_ids(encode: Callable[[str], list[int]], bos: int) -> list[int]:
    """Ids of the published prompt, with `SPEECH_TOKEN` where speech goes.

    It begins with two BOS: the reference's tokenizer adds one, and the template's text begins with one. The text on
    either side of the speech is tokenised by itself.
    """
    before, after = TEMPLATE.split(SPEECH_MARK)
    return [bos, *encode(before), SPEECH_TOKEN, *encode(after)]


class Prompt:
    """A prompt's ids on the device, ready to be joined with speech."""

    def __init__(self, ids: Sequence[int], device: torch.device) -> None:
        if list(ids).count(SPEECH_TOKEN) != 1:
            raise ValueError(f"a prompt has one place for speech ({SPEECH_TOKEN}), this one has not: {list(ids)}")
        place = list(ids).index(SPEECH_TOKEN)
        self._before = torch.tensor(ids[:place], dtype=torch.int64, device=device)
        self._after = torch.tensor(ids[place + 1 :], dtype=torch.int64, device=device)
        self.text_tokens = len(ids) - 1

    def splice(self, embed: Callable[[Tensor], Tensor], speech: Tensor) -> Tensor:
        """Embeddings of text, speech `(m, hidden)`, text: `(text_tokens + m, hidden)`."""
        return torch.cat((embed(self._before), speech, embed(self._after)))
