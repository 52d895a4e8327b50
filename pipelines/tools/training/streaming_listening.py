"""Step streaming-listening: adaptor and language model learn to answer from what a streaming encoder hears.

In use a prompt has the embeddings of the speech alone, as many as it lasts. The instruction comes before them, so that
only the end of the turn and the assistant's header are left to take in once the user has finished. The encoder stays as
it is; the length of a block is drawn anew for every batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from firstpacket.bench.corpus.manifest import MANIFEST
from firstpacket.pipelines.direct.llama_omni.prompt import STREAMING_TEMPLATE, prompt_ids
from firstpacket.pipelines.models.tensors import read_json
from firstpacket.pipelines.tools.training import data as corpus
from firstpacket.pipelines.tools.training import folders, llm_model, tokenizer
from firstpacket.pipelines.tools.training.block_features import SpokenFeatures, collate, spoken_features
from firstpacket.pipelines.tools.training.features import Masks, alike
from firstpacket.pipelines.tools.training.listening import ADAPTOR, JOINED, losses
from firstpacket.pipelines.tools.training.listening_model import BlockBatch, BlockListener, labelled
from firstpacket.pipelines.tools.training.llm import reply_ids
from firstpacket.pipelines.tools.training.llm_model import IGNORED
from firstpacket.pipelines.tools.training.loop import Schedule, finished, seconds_of, train
from firstpacket.pipelines.tools.training.streaming_encoder import BLOCKS, block_name, drawn_block
from firstpacket.pipelines.tools.training.streaming_encoder import read as read_encoder
from firstpacket.pipelines.tools.training.teacher import Teacher

STEP = "streaming-listening"
SCHEDULE = Schedule(steps=3000, learning_rate=5e-4, warmup=100, validate_every=500, precision="bf16", weight_decay=0.05)
BATCH = 24
_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Example:
    """A spoken question, its words as ids, and the ids of its reply with the end of the turn."""

    heard: SpokenFeatures
    question: tuple[int, ...]
    reply: tuple[int, ...]


def run(
    data: Path,
    work: Path,
    schedule: Schedule = SCHEDULE,
    teacher: Teacher | None = None,
    batch: int = BATCH,
    sparing: bool = False,
) -> dict[str, Any]:
    """Train, and write `work/streaming-listening/`. Returns the validation figures.

    Adaptor and language model begin with the teacher's. Raises `CorpusError` or `WeightsError`.
    """
    torch.manual_seed(schedule.seed)
    teacher = teacher or Teacher(work)
    words = teacher.words()
    listener = BlockListener(
        read_encoder(work), teacher.adaptor(), teacher.language_model(sparing), streaming_prompt(words)
    )
    examples = examples_of(corpus.clips(data, "train"), words, listener, work)
    unheard = examples_of(corpus.clips(data, "validation"), words, listener, work)
    draw = alike([example.heard.groups for example in examples], batch)
    longest = listener.extent.embeddings

    def batch_of(random: np.random.Generator) -> BlockBatch:
        return batched([examples[place] for place in draw(random)], longest, drawn_block(random), random, Masks())

    def validate(trained: nn.Module) -> dict[str, float]:
        return validated(trained, unheard)

    folder = work / STEP
    figures: dict[str, Any] = dict(train(folder, listener, batch_of, losses, validate, schedule))
    figures |= {"seed": schedule.seed, "steps": schedule.steps, "seconds": seconds_of(folder), "clips": len(examples)}
    figures["manifest_sha256"] = folders.digest(data / MANIFEST)
    adaptor = {ADAPTOR + name: tensor for name, tensor in listener.adaptor.state_dict().items()}
    config = read_json(teacher.folder / "config.json") | {
        "speech_encoder_ds_rate": JOINED,
        "speech_encoder_context": "streaming",
    }
    words.save_pretrained(folder)
    folders.save(folder, listener.llm.llama.state_dict() | adaptor, config, figures)
    finished(folder)
    return figures


def trained(work: Path) -> tuple[BlockListener, Any]:
    """The listener that this step made, and its tokenizer. Raises `WeightsError`."""
    made = Teacher(work, llm=work / STEP)
    folders.config(work, STEP)
    words = made.words()
    listener = BlockListener(read_encoder(work), made.adaptor(), made.language_model(), streaming_prompt(words))
    return listener.eval(), words


def streaming_prompt(words: Any) -> list[int]:
    """Ids of the prompt whose instruction comes before the speech, the place of the speech marked."""
    return prompt_ids(lambda text: tokenizer.ids(words, text), words.bos_token_id, STREAMING_TEMPLATE)


def examples_of(clips: Sequence[corpus.Clip], words: Any, listener: BlockListener, work: Path) -> list[Example]:
    """Clips and replies as the listener learns them; the features are kept in `work`."""
    return [
        Example(one, tuple(tokenizer.ids(words, clip.text)), reply_ids(clip.answer, words))
        for clip, one in zip(clips, spoken_features(clips, listener.encoder.conv1.in_channels, work), strict=True)
    ]


def batched(
    examples: Sequence[Example], longest: int, block: int, random: np.random.Generator, masks: Masks | None = None
) -> BlockBatch:
    """Clips that are about as long as each other; see `block_features.collate`."""
    questions, replies = ([one.question for one in examples], [one.reply for one in examples])
    mel = collate([one.heard for one in examples], longest, random, masks)
    return BlockBatch(mel, block, llm_model.padded(questions, IGNORED), llm_model.padded(replies, IGNORED))


def validated(model: nn.Module, examples: Sequence[Example]) -> dict[str, float]:
    """By length of block: the share of clips whose reply greedy decoding writes word for word."""
    assert isinstance(model, BlockListener)
    figures = {}
    for block in BLOCKS:
        right, _ = scored(model, examples, block)
        figures[f"accuracy_{block_name(block)}"] = right
    return figures


def scored(model: BlockListener, examples: Sequence[Example], block: int) -> tuple[float, float]:
    """Share of replies that are right word for word, and mean loss; clips of one length each, so none is padded."""
    random, device = np.random.default_rng(0), next(model.parameters()).device
    loss, right = 0.0, 0
    for places in places_by_length(examples):
        some = [examples[place] for place in places]
        batch = batched(some, model.extent.embeddings, block, random)
        labels = labelled(batch.replies).to(device)
        scores = model.llm.logits(model.states(batch))
        loss += float(llm_model.loss(scores, labels)) * len(some)
        right += int(llm_model.exact(scores, labels).sum())
    return right / len(examples), loss / len(examples)


def places_by_length(examples: Sequence[Example]) -> list[list[int]]:
    """The places of all examples, in batches of one length, so that none is padded."""
    by_length: dict[int, list[int]] = {}
    for place, example in enumerate(examples):
        by_length.setdefault(example.heard.groups, []).append(place)
    return [some[at : at + _AT_ONCE] for some in by_length.values() for at in range(0, len(some), _AT_ONCE)]
