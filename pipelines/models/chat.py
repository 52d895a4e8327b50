"""Llama 3's chat format and its tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from firstpacket.bench.errors import WeightsError

BEGIN = "<|begin_of_text|>"
HEADER = "<|start_header_id|>{}<|end_header_id|>\n\n"
END_OF_TURN = "<|eot_id|>"
SPECIAL_TOKENS = (BEGIN, "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", END_OF_TURN)
SYSTEM = (
    "You are a helpful language and speech assistant. You are able to understand the speech content that the user "
    "provides, and assist the user with a variety of tasks using natural language."
)
"""LLaMA-Omni's system text; the cascade's language model is given the same."""

CHAT_TEMPLATE = (
    f"{BEGIN}{{% for message in messages %}}{HEADER.format('{{ message.role }}')}"
    f"{{{{ message.content }}}}{END_OF_TURN}{{% endfor %}}{{{{ {HEADER.format('assistant')!r} }}}}"
)
"""The format as tokenizers carry it (Jinja); it ends in an expression, as Jinja drops a template's last line break."""


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
                f"{folder} has no tokenizer.json, which the prompt needs. Copy the one published with these weights "
                "into that folder."
            )
        try:
            return cls(Tokenizer.from_file(str(path)))
        except Exception as error:  # the library raises bare Exception for a file it cannot parse
            raise WeightsError(f"{path} is not a readable tokenizer: {error}. Download it again.") from error

    def check(self, bos: int, vocab: int, where: str) -> None:
        """Check it against its model: `bos` is the id of begin-of-text, and all ids are within the embeddings.

        Raises `WeightsError`: another tokenizer would spell out special tokens, or exceed the embeddings.
        """
        begin = self.encode(BEGIN)
        if begin != [bos]:
            raise WeightsError(
                f"{where}: the tokenizer encodes {BEGIN} as {begin}, but config.json says {bos}. Copy the "
                "tokenizer.json published with these weights."
            )
        for mark in (HEADER.format("user"), END_OF_TURN):
            if len(self.encode(mark.split("user")[0])) != 1 or max(self.encode(mark)) >= vocab:
                raise WeightsError(
                    f"{where}: the tokenizer encodes {mark!r} as {self.encode(mark)}, which is not Llama 3's format "
                    f"for a vocabulary of {vocab}. Copy the tokenizer.json published with these weights."
                )

    def encode(self, text: str) -> list[int]:
        """Ids of a text; special tokens written in it are recognised, none is added."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some ids, without special tokens."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True)).strip()
