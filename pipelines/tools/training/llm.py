"""Step llm: a small Llama learns to answer questions in writing. It is the cascade's, and stage 1 begins with it.

It is spoken to as both pipelines will speak to it, since a model this small follows no prompt that it has not seen.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from firstpacket.bench.paths import replace_text
from firstpacket.pipelines.cascade.llm.conversation import Conversation
from firstpacket.pipelines.cascade.llm.options import SYSTEM
from firstpacket.pipelines.models import llama_files
from firstpacket.pipelines.models.chat import END_OF_TURN
from firstpacket.pipelines.models.fields import Fields
from firstpacket.pipelines.models.llama_config import LlamaConfig
from firstpacket.pipelines.models.tensors import CPU, read_json
from firstpacket.pipelines.tools.training import data as corpus
from firstpacket.pipelines.tools.training import folders, llm_model, tokenizer
from firstpacket.pipelines.tools.training.llm_model import IGNORED, TrainableLlama
from firstpacket.pipelines.tools.training.loop import Schedule, finished, seconds_of, train
from firstpacket.pipelines.tools.training.tokenizer import SpeechPrompt

STEP = "llm"
SCHEDULE = Schedule(steps=600, learning_rate=2e-3, warmup=80, validate_every=100, precision="bf16", weight_decay=0.1)
BATCH = 64
ENDS = ("<|end_of_text|>", "<|eom_id|>", END_OF_TURN)
"""What ends a reply, by the published generation settings."""

_AS_WRITTEN = 0.5
"""Share of the questions that keep their case and their marks."""


@dataclass(frozen=True, slots=True)
class Example:
    """A question in writing, and its reply as ids, with the end of the turn."""

    question: str
    reply: tuple[int, ...]


class Prompts(Protocol):
    """How one pipeline speaks to the language model."""

    @property
    def head(self) -> list[int]:
        """Ids with which every prompt begins."""
        ...

    def prompt(self, text: str) -> list[int]:
        """Ids of the prompt for what the user said."""
        ...


@dataclass(frozen=True, slots=True)
class Rows:
    """Prompts and replies: the prompts' common `head` `(h,)`, what follows it `(b, n)`, and labels `(b, n)`, int64."""

    head: Tensor
    ids: Tensor
    labels: Tensor

    @classmethod
    def of(cls, questions: Sequence[str], replies: Sequence[Sequence[int]], prompts: Prompts) -> Rows:
        """Only replies are learnt."""
        begun = [prompts.prompt(question)[len(prompts.head) :] for question in questions]
        ids = [[*prompt, *reply] for prompt, reply in zip(begun, replies, strict=True)]
        labels = [[*[IGNORED] * len(prompt), *reply] for prompt, reply in zip(begun, replies, strict=True)]
        return cls(torch.tensor(prompts.head), llm_model.padded(ids, 0), llm_model.padded(labels, IGNORED))

    def to(self, device: torch.device) -> Rows:
        """The same on a device."""
        return Rows(self.head.to(device), self.ids.to(device), self.labels.to(device))


def run(
    data: Path,
    work: Path,
    schedule: Schedule = SCHEDULE,
    sizes: LlamaConfig = llm_model.SIZES,
    batch: int = BATCH,
    start: Path | None = None,
) -> dict[str, Any]:
    """Train, and write `work/llm/` in the published layout. Returns the validation figures.

    With `start`, the folder of a published Llama, that model and its tokenizer go on learning. Raises `CorpusError` or
    `WeightsError`.
    """
    torch.manual_seed(schedule.seed)
    known, unknown = corpus.texts(data, "train"), corpus.texts(data, "validation")
    if start is None:
        words = tokenizer.learnt((text for one in known for text in (one.question, one.response)), sizes.vocab)
        model = TrainableLlama.fresh(replace(sizes, vocab=len(words)))
    else:
        words, model = tokenizer.read(start), read(start)
    examples, unheard = examples_of(known, words), examples_of(unknown, words)
    chat, speech = Conversation(words, SYSTEM, "the language model that is trained"), SpeechPrompt(words)

    def batch_of(random: np.random.Generator) -> Rows:
        chosen = [examples[place] for place in random.integers(len(examples), size=batch)]
        questions = [said(one.question, random) for one in chosen]
        return Rows.of(questions, [one.reply for one in chosen], (chat, speech)[int(random.integers(2))])

    def validate(trained: nn.Module) -> dict[str, float]:
        return validated(trained, chat, speech, unheard)

    folder = work / STEP
    figures: dict[str, Any] = dict(train(folder, model, batch_of, losses, validate, schedule))
    figures |= {"seed": schedule.seed, "steps": schedule.steps, "seconds": seconds_of(folder), "texts": len(examples)}
    figures["texts_sha256"] = folders.digest(data / "texts.jsonl")
    write(folder, model, words, figures)
    finished(folder)
    return figures


def read(folder: Path, sparing: bool = False) -> TrainableLlama:
    """A plain Llama in the published layout, in float32, to be trained. Raises `WeightsError`."""
    config = llama_files.parsed(Fields(read_json(folder / "config.json"), str(folder / "config.json")))
    llama, _ = llama_files.read(folder, config, CPU, torch.float32)
    return TrainableLlama(llama.requires_grad_(True), sparing)


def write(folder: Path, model: TrainableLlama, words: Any, figures: dict[str, Any]) -> None:
    """The language model and its tokenizer, as the cascade reads them."""
    known = words.get_vocab()
    ends = [known[mark] for mark in ENDS if mark in known]
    words.save_pretrained(folder)
    replace_text(folder / "generation_config.json", json.dumps({"eos_token_id": ends}) + "\n")
    config = llm_model.published(model.llama.config, words.bos_token_id, ends)
    folders.save(folder, model.llama.state_dict(), config, figures)


def examples_of(texts: Sequence[corpus.Text], words: Any) -> list[Example]:
    """Questions and replies as a language model learns them."""
    return [Example(one.question, reply_ids(one.response, words)) for one in texts]


def reply_ids(reply: str, words: Any) -> tuple[int, ...]:
    """Ids of a reply, with the one that ends the turn."""
    return (*tokenizer.ids(words, reply), words.get_vocab()[END_OF_TURN])


def said(question: str, random: np.random.Generator) -> str:
    """The question as one recogniser or another may write it: with its case and marks, or with neither."""
    if random.random() < _AS_WRITTEN:
        return question
    bare = question.rstrip("?.! ")
    return (bare.lower(), bare, question.lower(), f"{bare}.")[int(random.integers(4))]


def losses(model: nn.Module, batch: Rows) -> dict[str, Tensor]:
    """Cross-entropy of the replies."""
    rows = batch.to(next(model.parameters()).device)
    return {"loss": llm_model.loss(model(rows.head, rows.ids, rows.labels), rows.labels)}


def validated(model: nn.Module, chat: Prompts, speech: Prompts, examples: Sequence[Example]) -> dict[str, float]:
    """Loss, and the share of questions that greedy decoding answers word for word.

    As written, without marks and capitals, and in the direct model's prompt in the place of the speech.
    """
    questions = [one.question for one in examples]
    loss, right = _scored(model, chat, questions, examples)
    _, bare = _scored(model, chat, [text.rstrip("?.! ").lower() for text in questions], examples)
    _, direct = _scored(model, speech, questions, examples)
    return {"accuracy": right, "accuracy_bare": bare, "accuracy_direct": direct, "validation_loss": loss}


def _scored(
    model: nn.Module, prompts: Prompts, questions: Sequence[str], examples: Sequence[Example]
) -> tuple[float, float]:
    """Mean loss, and share of replies that are right word for word."""
    device, loss, right = next(model.parameters()).device, 0.0, 0
    for first in range(0, len(examples), BATCH):
        some = examples[first : first + BATCH]
        rows = Rows.of(questions[first : first + BATCH], [one.reply for one in some], prompts).to(device)
        scores = model(rows.head, rows.ids, rows.labels)
        right += int(llm_model.exact(scores, rows.labels).sum())
        loss += float(llm_model.loss(scores, rows.labels)) * len(some)
    return loss / len(examples), right / len(examples)
