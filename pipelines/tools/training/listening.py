"""Step listening, the paper's stage 1: adaptor and language model learn to answer what the frozen encoder hears."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from firstpacket.bench.corpus.manifest import MANIFEST
from firstpacket.pipelines.direct.llama_omni.adaptor import SpeechAdaptor
from firstpacket.pipelines.direct.llama_omni.config import AdaptorConfig
from firstpacket.pipelines.direct.llama_omni.prompt import prompt_ids
from firstpacket.pipelines.direct.llama_omni.whisper_files import open_file
from firstpacket.pipelines.models.tensors import CPU, LoadedTensors, fill, read_json
from firstpacket.pipelines.models.whisper_sizes import WhisperSizes
from firstpacket.pipelines.tools.training import data as corpus
from firstpacket.pipelines.tools.training import folders, llm_model, tokenizer
from firstpacket.pipelines.tools.training.asr import trained as trained_whisper
from firstpacket.pipelines.tools.training.features import Masks, alike
from firstpacket.pipelines.tools.training.kept_features import heard
from firstpacket.pipelines.tools.training.listening_model import Batch, BlockBatch, Example, Listener, labelled
from firstpacket.pipelines.tools.training.llm import STEP as LLM
from firstpacket.pipelines.tools.training.llm import read as read_llm
from firstpacket.pipelines.tools.training.llm import reply_ids
from firstpacket.pipelines.tools.training.loop import Schedule, finished, seconds_of, train
from firstpacket.pipelines.tools.training.whisper import Encoder

STEP = "listening"
SCHEDULE = Schedule(
    steps=4000, learning_rate=1e-3, warmup=100, validate_every=1000, precision="bf16", weight_decay=0.05
)
BATCH = 24
"""Few, for many steps: what has to be learnt is where in a clip which words are."""
JOINED = 5
INNER = 512
SILENT = 12
"""Groups of silent frames that stand for all of them."""
WORDS_WEIGHT = 0.5
"""Of the questions' words, which show the adaptor the embeddings that the language model already knows; the paper's
needs no such hint, as it sees eighteen times as many clips."""
WHOLE_CLIPS = 64
"""Clips of the validation that are heard with all their silence, as in use."""

_AT_ONCE = 16
ADAPTOR = "model.speech_projector."


def run(
    data: Path, work: Path, schedule: Schedule = SCHEDULE, parts: Parts | None = None, batch: int = BATCH
) -> dict[str, Any]:
    """Train, and write `work/listening/`. Returns the validation figures. Raises `CorpusError` or `WeightsError`."""
    torch.manual_seed(schedule.seed)
    parts = parts or Parts(work)
    listener, words = parts.fresh()
    examples = examples_of(corpus.clips(data, "train"), words, listener, work)
    unheard = examples_of(corpus.clips(data, "validation"), words, listener, work)
    draw = alike([example.heard.frames for example in examples], batch)

    def batch_of(random: np.random.Generator) -> Batch:
        chosen = [examples[place] for place in draw(random)]
        return Batch.of(chosen, listener.extent, SILENT, random, Masks())

    def validate(trained: nn.Module) -> dict[str, float]:
        return validated(trained, unheard)

    folder = work / STEP
    figures: dict[str, Any] = dict(train(folder, listener, batch_of, losses, validate, schedule))
    figures |= {"seed": schedule.seed, "steps": schedule.steps, "seconds": seconds_of(folder), "clips": len(examples)}
    figures["manifest_sha256"] = folders.digest(data / MANIFEST)
    write(folder, listener, words, parts, figures)
    finished(folder)
    return figures


@dataclass(frozen=True, slots=True)
class Parts:
    """What stage 1 begins with: published parts, or those that earlier steps left in `work`."""

    work: Path
    encoder: Path | None = None
    """A Whisper's folder in transformers' layout, or openai-whisper's `.pt`."""
    llm: Path | None = None
    """A Llama's folder."""
    inner: int = INNER
    """Width of the adaptor between its two layers."""
    sparing: bool = False
    """Whether memory is spared at the cost of time; see `TrainableLlama`."""

    def fresh(self) -> tuple[Listener, Any]:
        """A listener whose adaptor has learnt nothing yet, and the tokenizer. Raises `WeightsError`."""
        encoder = trained_whisper(self.work)[0].encoder if self.encoder is None else read_encoder(self.encoder)
        words, llm = tokenizer.read(self.of_llm), read_llm(self.of_llm, self.sparing)
        state = encoder.positional_embedding.shape[1]
        adaptor = SpeechAdaptor(AdaptorConfig(JOINED, state, llm.llama.config.hidden, self.inner))
        return Listener(encoder, adaptor, llm, prompt(words)), words

    @property
    def of_llm(self) -> Path:
        """The language model's folder. Raises `WeightsError` if it was not made."""
        if self.llm is None:
            folders.config(self.work, LLM)
        return self.llm or self.work / LLM


def read_encoder(path: Path) -> Encoder:
    """A published speech encoder, in float32. Raises `WeightsError`."""
    file = open_file(path)
    encoder = Encoder(WhisperSizes.with_encoder(file.config))
    fill(encoder, file.tensors, file.prefix, CPU, torch.float32)
    return encoder


def write(folder: Path, listener: Listener, words: Any, parts: Parts, figures: dict[str, Any]) -> None:
    """Language model and adaptor under their published names, and where a published encoder is."""
    adaptor = {ADAPTOR + name: tensor for name, tensor in listener.adaptor.state_dict().items()}
    config = read_json(parts.of_llm / "config.json") | {"speech_encoder_ds_rate": JOINED}
    if parts.encoder is not None:
        config["speech_encoder"] = str(parts.encoder.resolve())
    words.save_pretrained(folder)
    folders.save(folder, listener.llm.llama.state_dict() | adaptor, config, figures)


def trained(work: Path) -> tuple[Listener, Any]:
    """The listener that this step made, and its tokenizer. Raises `WeightsError`."""
    config, tensors = folders.config(work, STEP), LoadedTensors(folders.tensors(work, STEP), str(work / STEP))
    encoder = Path(config["speech_encoder"]) if "speech_encoder" in config else None
    inner = tensors.shape(f"{ADAPTOR}linear1.weight")[0]
    listener, words = Parts(work, encoder, work / STEP, inner).fresh()
    fill(listener.adaptor, tensors, ADAPTOR, CPU, torch.float32)
    return listener.eval(), words


def prompt(words: Any) -> list[int]:
    """Ids of the published prompt, the place of the speech marked."""
    return prompt_ids(lambda text: tokenizer.ids(words, text), words.bos_token_id)


def examples_of(clips: Sequence[corpus.Clip], words: Any, listener: Listener, work: Path) -> list[Example]:
    """Clips and replies as the listener learns them; the features are kept in `work`."""
    return [
        Example(one, tuple(tokenizer.ids(words, clip.text)), reply_ids(clip.answer, words))
        for clip, one in zip(clips, heard(clips, listener.encoder.conv1.in_channels, work), strict=True)
    ]


def losses(model: nn.Module, batch: Batch | BlockBatch) -> dict[str, Tensor]:
    """Cross-entropy of the replies; and CTC (Graves 2006) of the questions' words over the embeddings of the speech."""
    replies, words = model(batch)
    labels, questions = labelled(batch.replies).to(replies.device), batch.questions.to(replies.device)
    of_replies = llm_model.loss(replies, labels)
    of_words = nn.functional.ctc_loss(
        words.log_softmax(-1).transpose(0, 1),
        questions.clamp(min=0),
        torch.full((len(words),), words.shape[1]),
        (questions != llm_model.IGNORED).sum(1),
        blank=words.shape[2] - 1,
        zero_infinity=True,
    )
    return {"loss": of_replies + WORDS_WEIGHT * of_words, "replies": of_replies, "words": of_words}


def validated(model: nn.Module, examples: Sequence[Example]) -> dict[str, float]:
    """Loss, and the share of clips whose reply greedy decoding writes word for word; also of some as heard in use."""
    assert isinstance(model, Listener)
    some = examples[:: max(1, len(examples) // WHOLE_CLIPS)]
    loss, right = _scored(model, examples, 4 * SILENT)
    _, right_whole = _scored(model, some, model.extent.embeddings)
    return {"accuracy": right, "accuracy_whole": right_whole, "validation_loss": loss}


def _scored(model: Listener, examples: Sequence[Example], groups: int) -> tuple[float, float]:
    """Mean loss, and share of replies that are right word for word."""
    random, device = np.random.default_rng(0), next(model.parameters()).device
    by_length = sorted(examples, key=lambda example: example.heard.frames)
    loss, right = 0.0, 0
    for first in range(0, len(by_length), _AT_ONCE):
        chosen = by_length[first : first + _AT_ONCE]
        batch = Batch.of(chosen, model.extent, groups, random)
        labels = labelled(batch.replies).to(device)
        scores = model.llm.logits(model.states(batch))
        loss += float(llm_model.loss(scores, labels)) * len(chosen)
        right += int(llm_model.exact(scores, labels).sum())
    return loss / len(examples), right / len(examples)
