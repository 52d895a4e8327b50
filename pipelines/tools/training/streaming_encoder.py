"""Step streaming-encoder: the speech encoder learns to listen in blocks, taught by the one that hears all 30 s.

The teacher is a trained encoder with its adaptor, on 30 s and whole attention; the student begins with its weights,
hears causal features of the speech alone, block by block, and learns to give the adaptor what gives the teacher's
embeddings. The length of a block is drawn anew for every batch, so one checkpoint serves all (Zhang et al. 2020,
arXiv 2012.05481, "U2", section 3.2). A second loss reads letters off its frames (CTC, Graves 2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from firstpacket.bench.corpus.manifest import MANIFEST
from firstpacket.bench.quality.wer import errors
from firstpacket.pipelines.direct.llama_omni import blocks
from firstpacket.pipelines.direct.llama_omni.adaptor import SpeechAdaptor
from firstpacket.pipelines.direct.llama_omni.config import EncoderConfig
from firstpacket.pipelines.direct.llama_omni.ctc import Collapse
from firstpacket.pipelines.models.whisper_sizes import WhisperSizes
from firstpacket.pipelines.tools.training import data as corpus
from firstpacket.pipelines.tools.training import folders, kept_features
from firstpacket.pipelines.tools.training.asr import LETTERS, letters_of
from firstpacket.pipelines.tools.training.block_encoder import encode_in_blocks
from firstpacket.pipelines.tools.training.block_features import GROUP, SpokenFeatures, collate, spoken_features
from firstpacket.pipelines.tools.training.features import Masks, alike, features
from firstpacket.pipelines.tools.training.listening_model import Batch as TeacherBatch
from firstpacket.pipelines.tools.training.listening_model import Example as TeacherExample
from firstpacket.pipelines.tools.training.listening_model import adapted
from firstpacket.pipelines.tools.training.loop import Schedule, finished, seconds_of, train
from firstpacket.pipelines.tools.training.teacher import Teacher, heads
from firstpacket.pipelines.tools.training.whisper import Encoder

STEP = "streaming-encoder"
SCHEDULE = Schedule(steps=3000, learning_rate=1e-3, warmup=100, validate_every=500, precision="bf16", weight_decay=0.02)
BATCH = 24
WHOLE = 1_000_000
"""A block that no clip fills: all speech is heard at once."""
BLOCKS = {5: 0.1, 10: 0.15, 25: 0.3, 50: 0.15, 100: 0.1, WHOLE: 0.2}
"""Lengths of blocks, in frames of 20 ms, and how often each is drawn."""
LETTERS_WEIGHT = 0.3
SILENT = 48
"""Groups of silent frames that stand for all that the teacher hears."""
_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Example:
    """A clip, the teacher's embeddings of it `(groups, hidden)` float16, and its letters."""

    heard: SpokenFeatures
    taught: Tensor
    letters: tuple[int, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Features `(b, mels, 10 · groups)` of clips and silence after them, and the length of a block in frames."""

    mel: Tensor
    block: int
    examples: list[Example]


class Student(nn.Module):
    """The encoder that learns, the teacher's adaptor, which does not, and the letters read off the encoder."""

    def __init__(self, encoder: Encoder, adaptor: SpeechAdaptor) -> None:
        super().__init__()
        self.encoder = encoder.requires_grad_(True)
        self.encoder.positional_embedding.requires_grad_(False)
        self.adaptor = adaptor.requires_grad_(False)
        self.ctc_head = nn.Linear(encoder.positional_embedding.shape[1], len(LETTERS) + 1)
        """The last class is the blank."""

    @property
    def groups(self) -> int:
        """Embeddings of the longest speech: 300."""
        return len(self.encoder.positional_embedding) // self.adaptor.joined

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Embeddings `(b, groups, hidden)` and letters' logits `(b, frames, letters + 1)`, both float32."""
        frames = encode_in_blocks(self.encoder, batch.mel.to(self.encoder.positional_embedding.device), batch.block)
        return adapted(self.adaptor, frames).float(), self.ctc_head(frames).float()


def run(
    data: Path, work: Path, schedule: Schedule = SCHEDULE, teacher: Teacher | None = None, batch: int = BATCH
) -> dict[str, Any]:
    """Train, and write `work/streaming-encoder/`. Returns the validation figures.

    The student begins with the teacher's weights. Raises `CorpusError` or `WeightsError`.
    """
    torch.manual_seed(schedule.seed)
    teacher = teacher or Teacher(work)
    examples, unheard = (examples_of(corpus.clips(data, split), teacher, work) for split in ("train", "validation"))
    encoder = teacher.speech_encoder
    student = Student(encoder, teacher.adaptor())
    draw = alike([example.heard.groups for example in examples], batch)

    def batch_of(random: np.random.Generator) -> Batch:
        chosen = [examples[place] for place in draw(random)]
        return Batch(
            collate([one.heard for one in chosen], student.groups, random, Masks()), drawn_block(random), chosen
        )

    def validate(trained: nn.Module) -> dict[str, float]:
        return validated(trained, unheard)

    folder = work / STEP
    figures: dict[str, Any] = dict(train(folder, student, batch_of, losses, validate, schedule))
    figures |= {"seed": schedule.seed, "steps": schedule.steps, "seconds": seconds_of(folder), "clips": len(examples)}
    figures["manifest_sha256"] = folders.digest(data / MANIFEST)
    kept = {name: part for name, part in student.state_dict().items() if not name.startswith("adaptor.")}
    positions, state = encoder.positional_embedding.shape
    sizes = EncoderConfig(teacher.mels, positions, state, heads(encoder), len(encoder.blocks))
    folders.save(folder, kept, asdict(sizes) | {"letters": LETTERS}, figures)
    finished(folder)
    return figures


def drawn_block(random: np.random.Generator) -> int:
    """The length of a batch's blocks, in frames."""
    return int(random.choice(list(BLOCKS), p=list(BLOCKS.values())))


def block_name(block: int) -> str:
    """The length of a block in the names of figures: `500_ms`, or `whole`."""
    return blocks.WHOLE if block == WHOLE else f"{block * 20}_ms"


def losses(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """How far embeddings are from the teacher's, and CTC of the letters.

    As in D2 (arXiv, 2026): the mean absolute difference, here in units of the teacher's mean, and the negative log
    sigmoid of the cosine, over the speech alone.
    """
    embeddings, letters = model(batch)
    counts = [min(example.heard.groups, embeddings.shape[1]) for example in batch.examples]
    ours = torch.cat([row[:count] for row, count in zip(embeddings, counts, strict=True)])
    theirs = torch.cat([one.taught[:count].float() for one, count in zip(batch.examples, counts, strict=True)])
    theirs = theirs.to(ours.device)
    distance = (ours - theirs).abs().mean() / theirs.abs().mean()
    direction = -functional.logsigmoid(functional.cosine_similarity(ours, theirs, dim=-1)).mean()
    of_letters = functional.ctc_loss(
        letters.log_softmax(-1).transpose(0, 1),
        torch.cat([torch.tensor(one.letters) for one in batch.examples]),
        torch.tensor([count * GROUP // 2 for count in counts]),
        torch.tensor([len(one.letters) for one in batch.examples]),
        blank=len(LETTERS),
        zero_infinity=True,
    )
    return {
        "loss": distance + direction + LETTERS_WEIGHT * of_letters,
        "distance": distance,
        "direction": direction,
        "letters": of_letters,
    }


def validated(model: nn.Module, examples: Sequence[Example]) -> dict[str, float]:
    """By length of block: distance from the teacher, and the word error rate of the letters read off, greedily."""
    assert isinstance(model, Student)
    by_length = sorted(examples, key=lambda example: example.heard.groups)
    figures: dict[str, float] = {}
    for block in BLOCKS:
        random, distance, wrong, words = np.random.default_rng(0), 0.0, 0, 0
        for first in range(0, len(by_length), _AT_ONCE):
            some = by_length[first : first + _AT_ONCE]
            batch = Batch(collate([one.heard for one in some], model.groups, random), block, some)
            distance += float(losses(model, batch)["distance"]) * len(batch.examples)
            for row, example in zip(model(batch)[1], batch.examples, strict=True):
                found, spoken = errors(example.text, read_off(row[: example.heard.groups * GROUP // 2]))
                wrong, words = wrong + found, words + spoken
        name = block_name(block)
        figures |= {f"distance_{name}": distance / len(examples), f"ctc_wer_{name}": wrong / max(1, words)}
    return figures


def read_off(logits: Tensor) -> str:
    """The likeliest letters of frames `(n, letters + 1)`."""
    return "".join(LETTERS[letter] for letter in Collapse(len(LETTERS)).push(logits.argmax(-1).tolist()))


def examples_of(clips: Sequence[corpus.Clip], teacher: Teacher, work: Path) -> list[Example]:
    """Clips as the student hears them, with what the teacher makes of them."""
    mels = teacher.mels
    heard = spoken_features(clips, mels, work)
    taught = _taught(clips, heard, teacher, work)
    return [
        Example(one, theirs, letters_of(clip.text), clip.text)
        for clip, one, theirs in zip(clips, heard, taught, strict=True)
    ]


def _taught(
    clips: Sequence[corpus.Clip], heard: Sequence[SpokenFeatures], teacher: Teacher, work: Path
) -> Sequence[Tensor]:
    """The teacher's embeddings `(groups, hidden)` float16 of every clip, kept in `work/features/`."""
    name = f"taught-{teacher.digest}-{kept_features.name_of(clips, teacher.mels)}"
    path = work / "features" / f"{name}.safetensors"
    counts = [one.groups for one in heard]
    if not path.is_file():
        kept_features.save_kept(path, {"embeddings": torch.cat(_embeddings(clips, counts, teacher))})
    return torch.split(load_file(path)["embeddings"], counts)


@torch.inference_mode()
def _embeddings(clips: Sequence[corpus.Clip], counts: Sequence[int], teacher: Teacher) -> list[Tensor]:
    listener = teacher.listener()
    mels = teacher.mels
    order = sorted(range(len(clips)), key=lambda place: counts[place])
    found: dict[int, Tensor] = {}
    random = np.random.default_rng(0)
    for first in range(0, len(order), _AT_ONCE):
        places = order[first : first + _AT_ONCE]
        some = [TeacherExample(features(corpus.speech(clips[place]), mels), (), ()) for place in places]
        batch = TeacherBatch.of(some, listener.extent, SILENT, random)
        made = listener.speech(batch)
        found |= {place: row[: counts[place]].half().clone() for place, row in zip(places, made, strict=True)}
    return [found[place] for place in range(len(clips))]


def read(work: Path) -> Encoder:
    """The encoder that this step made. Raises `WeightsError`."""
    config = folders.config(work, STEP)
    sizes = EncoderConfig(**{field.name: int(config[field.name]) for field in fields(EncoderConfig)})
    encoder = Encoder(WhisperSizes.with_encoder(sizes))
    state = {name.removeprefix("encoder."): part for name, part in folders.tensors(work, STEP).items()}
    encoder.load_state_dict({name: state[name] for name in encoder.state_dict()})
    return encoder.eval()
