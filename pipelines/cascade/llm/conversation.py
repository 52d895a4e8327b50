"""The prompt in a model's own conversation format, and a check that its tokenizer is really the model's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile
from threading import Thread
from typing import Any

from firstpacket.bench.errors import WeightsError
from firstpacket.pipelines.cascade.engines import cause

PROBES = ("a", "Zebra?", "7 o'clock")
"""Texts as unlike as the user's may be: what their prompts have in common is the same in every turn."""

TEMPLATE_LIMIT_S = 20.0
DATE = "26 Jul 2024"
"""Llama 3's own default. A template that wrote today's date would make runs of two days differ."""


class Conversation:
    """A tokenizer of transformers and a system text. `where` names the model in messages."""

    def __init__(self, tokenizer: Any, system: str, where: str) -> None:
        """Try the template once. Raises `WeightsError` if it fails or does not terminate."""
        self._tokenizer = tokenizer
        self._system = system
        self._where = where
        self._merged = False
        self.head = within(TEMPLATE_LIMIT_S, self._find_head, f"{where}: its chat template does not terminate.")

    def prompt(self, text: str) -> list[int]:
        """Ids of the prompt for what the user said; plain text for models without a template.

        Raises `WeightsError` when the template fails.
        """
        try:
            return self._prompt(text.strip())
        except Exception as error:  # a template is a program: Jinja's errors, Python's, and memory that runs out
            raise WeightsError(
                f"{self._where}: its chat template failed: {type(error).__name__}: {cause(error)} Download the "
                "tokenizer's files again, or use another model."
            ) from error

    def decode(self, ids: list[int]) -> str:
        """The text of ids, without special tokens."""
        return str(self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def check(self, vocab: int, ends: Iterable[int]) -> None:
        """Check it against its model: every id is one of `vocab` embeddings, and it knows what `ends` a reply.

        Raises `WeightsError`.
        """
        known = self._tokenizer.get_vocab()
        highest = max(known.values(), default=-1)
        if highest >= vocab:
            raise WeightsError(
                f"{self._where}: the tokenizer has ids up to {highest}, but the model's vocabulary has {vocab}. Copy "
                "the tokenizer published with these weights."
            )
        stops = sorted(ends)
        if not stops:
            raise WeightsError(
                f"{self._where}: neither generation_config.json nor config.json nor the tokenizer says which token "
                "ends a reply (eos_token_id). Download these files again."
            )
        strange = set(stops) - set(known.values())
        if strange:
            raise WeightsError(
                f"{self._where}: a reply ends with id {min(strange)} (eos_token_id), which the tokenizer does not "
                "know. Copy the tokenizer published with these weights."
            )

    def _find_head(self) -> list[int]:
        """Ids with which every prompt begins; also finds out whether the template takes a system text."""
        self._merged = bool(self._tokenizer.chat_template) and not self._takes_system()
        return common_beginning([self.prompt(probe) for probe in PROBES])

    def _takes_system(self) -> bool:
        from jinja2.exceptions import TemplateError

        try:
            self._prompt(PROBES[0])
        except TemplateError:  # Gemma's, for one, refuses the role
            return False
        except Exception:  # `prompt` meets it again, and says so
            return True
        return True

    def _prompt(self, text: str) -> list[int]:
        if not self._tokenizer.chat_template:
            return list(self._tokenizer(f"{self._system}\n\n{text}\n\n").input_ids)
        system = [] if self._merged else [{"role": "system", "content": self._system}]
        said = f"{self._system}\n\n{text}" if self._merged else text
        prompt = self._tokenizer.apply_chat_template(
            [*system, {"role": "user", "content": said}], tokenize=False, add_generation_prompt=True, date_string=DATE
        )
        return list(self._tokenizer(prompt, add_special_tokens=False).input_ids)


def common_beginning(several: Sequence[Sequence[int]]) -> list[int]:
    """The ids with which all of several lists begin."""
    same = takewhile(lambda ids: len(set(ids)) == 1, zip(*several, strict=False))
    return [ids[0] for ids in same]


def within(limit_s: float, work: Callable[[], list[int]], late: str) -> list[int]:
    """The result of `work`. Raises `WeightsError` with `late` if it takes longer; its thread is then abandoned."""
    done: list[list[int] | BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:
            done.append(error)

    thread = Thread(target=run, name="chat template", daemon=True)
    thread.start()
    thread.join(limit_s)
    if not done:
        raise WeightsError(late)
    if isinstance(done[0], BaseException):
        raise done[0]
    return done[0]
