"""The prompt: text, the user's speech, text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from firstpacket.pipelines.models.chat import BEGIN, END_OF_TURN, HEADER, SYSTEM

SPEECH_TOKEN = -200
"""Stands in a prompt's ids where the speech embeddings go."""

SPEECH_MARK = "<speech>"
INSTRUCTION = "Please directly answer the questions in the user's speech."


def _template(user: str) -> str:
    """The published conversation format "llama_3"."""
    return "".join(
        (
            BEGIN,
            *(HEADER.format("system"), SYSTEM, END_OF_TURN),
            *(HEADER.format("user"), user, END_OF_TURN),
            HEADER.format("assistant"),
        )
    )


TEMPLATE = _template(f"{SPEECH_MARK}\n{INSTRUCTION}")

STREAMING_TEMPLATE = _template(f"{INSTRUCTION}\n{SPEECH_MARK}")
"""Of models that listen while the user speaks: the instruction comes first, so that little is left at the end."""


def prompt_ids(encode: Callable[[str], list[int]], bos: int, template: str = TEMPLATE) -> list[int]:
    """Ids of a prompt, by default the published one, with `SPEECH_TOKEN` where speech goes.

    It begins with two BOS: the reference's tokenizer adds one, and the template's text begins with one. The text on
    either side of the speech is tokenised by itself.
    """
    before, after = template.split(SPEECH_MARK)
    return [bos, *encode(before), SPEECH_TOKEN, *encode(after)]


class Prompt:
    """A prompt's ids on the device, ready to be joined with speech."""

    def __init__(self, ids: Sequence[int], device: torch.device) -> None:
        if list(ids).count(SPEECH_TOKEN) != 1:
            raise ValueError(f"a prompt must contain {SPEECH_TOKEN} exactly once, for the speech; got {list(ids)}")
        place = list(ids).index(SPEECH_TOKEN)
        self._before = torch.tensor(ids[:place], dtype=torch.int64, device=device)
        self._after = torch.tensor(ids[place + 1 :], dtype=torch.int64, device=device)
        self.text_tokens = len(ids) - 1

    def head(self, embed: Callable[[Tensor], Tensor]) -> Tensor:
        """Embeddings `(k, hidden)` of the text before the speech: the same in every turn."""
        return embed(self._before)

    def rest(self, embed: Callable[[Tensor], Tensor], speech: Tensor) -> Tensor:
        """Embeddings of speech `(m, hidden)` and the text after it."""
        return torch.cat((speech, embed(self._after)))

    def splice(self, embed: Callable[[Tensor], Tensor], speech: Tensor) -> Tensor:
        """Embeddings of text, speech `(m, hidden)`, text: `(text_tokens + m, hidden)`."""
        return torch.cat((self.head(embed), self.rest(embed, speech)))
