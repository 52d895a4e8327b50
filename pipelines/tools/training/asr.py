"""Step asr: a small Whisper learns to write what it hears; its encoder then listens for the direct model, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from firstpacket.bench.corpus.manifest import MANIFEST
from firstpacket.bench.quality.wer import errors
from firstpacket.pipelines.models import whisper_tokens as tokens
from firstpacket.pipelines.models.whisper_sizes import WhisperSizes
from firstpacket.pipelines.tools.training import data as corpus
from firstpacket.pipelines.tools.training import folders
from firstpacket.pipelines.tools.training.features import ClipFeatures, Masks, alike, collate, whole
from firstpacket.pipelines.tools.training.kept_features import heard
from firstpacket.pipelines.tools.training.loop import Schedule, finished, seconds_of, train
from firstpacket.pipelines.tools.training.whisper import Silence, TrainableWhisper

STEP = "asr"
SIZES = WhisperSizes(state=128, heads=2, layers=4, decoder_layers=2)
SCHEDULE = Schedule(
    steps=2600, learning_rate=1.5e-3, warmup=100, validate_every=400, precision="bf16", weight_decay=0.02
)
BATCH = 32
BEGINNING = Schedule(steps=900, learning_rate=2e-3, warmup=150, precision="bf16", weight_decay=0.02)
BEGINNING_BATCH = 16
SHORTEST = 1 / 3
"""Share of the clips with which it begins: short ones, in small batches, unmasked and with little silence after them,
teach where in the sound the letters are in a tenth of the time (shortest first: Amodei et al. 2015, section 3.3)."""
WITHOUT = 0.3
"""Share of later batches without all that silence, so that it learns to hear first and to overlook silence second."""
SILENT = 24
"""Positions of silence that stand for all of them."""
LETTERS = "abcdefghijklmnopqrstuvwxyz' "
LETTERS_WEIGHT = 1.0
"""Of the letters' loss; they are what makes attention find its place within a few hundred steps."""
WHOLE_CLIPS = 64
"""Clips of the validation that are heard with all their silence, as in use."""
_LONGEST = 48
_IGNORED = -100


@dataclass(frozen=True, slots=True)
class Example:
    """One clip: its features, its words as places among those in use (prompt and end included), its letters."""

    heard: ClipFeatures
    places: tuple[int, ...]
    letters: tuple[int, ...]
    text: str


Batch = tuple[Tensor, Silence, list[Example]]
"""Features `(b, mels, 2 · n + 4)`, the silence after them, and whose they are."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Whisper's vocabulary, and the words of it that the training texts use."""

    words: Any
    ids: tuple[int, ...]

    @classmethod
    def of(cls, texts: Sequence[str], vocab: int) -> Vocabulary:
        """All words of some texts, and the marks around them."""
        words = tokens.tokenizer(vocab)
        used = {tokens.place(words, mark) for mark in (tokens.START, "<|en|>", tokens.TRANSCRIBE, tokens.NO_TIMESTAMPS)}
        used.add(tokens.place(words, tokens.END))
        for text in texts:
            used.update(words.encode(f" {text}").ids)
        return cls(words, tuple(sorted(used)))

    @property
    def prompt(self) -> list[int]:
        """Places of the marks before a text."""
        marks = (tokens.START, "<|en|>", tokens.TRANSCRIBE, tokens.NO_TIMESTAMPS)
        return [self.ids.index(tokens.place(self.words, mark)) for mark in marks]

    @property
    def end(self) -> int:
        """Place of the mark after a text."""
        return self.ids.index(tokens.place(self.words, tokens.END))

    def places(self, text: str) -> tuple[int, ...]:
        """Prompt, text and end, as places among the words in use."""
        at = {word: place for place, word in enumerate(self.ids)}
        return (*self.prompt, *(at[word] for word in self.words.encode(f" {text}").ids if word in at), self.end)

    def text(self, places: Sequence[int]) -> str:
        """The text of some places; what stands for all other words is left out."""
        return str(self.words.decode([self.ids[place] for place in places if place < len(self.ids)])).strip()


def run(
    data: Path,
    work: Path,
    schedule: Schedule = SCHEDULE,
    sizes: WhisperSizes = SIZES,
    batch: int = BATCH,
    beginning: int = BEGINNING.steps,
) -> dict[str, Any]:
    """Train, first with the shortest clips for `beginning` steps, and write `work/asr/`. Returns the figures."""
    torch.manual_seed(schedule.seed)
    spoken = corpus.clips(data, "train")
    vocabulary = Vocabulary.of([clip.text for clip in spoken], sizes.vocab)
    examples = _examples(spoken, vocabulary, sizes.mels, work)
    unheard = _examples(corpus.clips(data, "validation"), vocabulary, sizes.mels, work)
    model = TrainableWhisper(sizes, torch.tensor(vocabulary.ids), len(LETTERS))
    folder = work / STEP
    lasted = _begin(folder / "beginning", model, examples, replace(BEGINNING, seed=schedule.seed, steps=beginning))
    draw = alike([example.heard.frames for example in examples], batch)

    def batch_of(random: np.random.Generator) -> Batch:
        chosen = [examples[place] for place in draw(random)]
        mel = collate([example.heard for example in chosen], Masks(), random)
        window = 0 if random.random() < WITHOUT else sizes.positions
        return mel, _silence(mel, window, random), chosen

    def validate(trained: nn.Module) -> dict[str, float]:
        return validated(trained, vocabulary, unheard)

    figures: dict[str, Any] = dict(train(folder, model, batch_of, _losses, validate, schedule))
    figures |= {"seed": schedule.seed, "steps": schedule.steps, "seconds": lasted + seconds_of(folder)}
    figures |= {"clips": len(examples), "manifest_sha256": folders.digest(data / MANIFEST)}
    kept = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("letters.")}
    folders.save(folder, kept, asdict(sizes), figures)
    finished(folder)
    return figures


def _begin(folder: Path, model: TrainableWhisper, examples: Sequence[Example], schedule: Schedule) -> float:
    """Learn from the shortest clips; returns the seconds that it took."""
    if (folder / folders.TENSORS).is_file():
        model.load_state_dict(folders.tensors(folder.parent, folder.name))
        return seconds_of(folder)
    lengths = np.array([example.heard.frames for example in examples])
    order = np.argsort(lengths, kind="stable")[: max(1, round(len(examples) * SHORTEST))]
    draw = alike(lengths[order].tolist(), BEGINNING_BATCH)

    def batch_of(random: np.random.Generator) -> Batch:
        chosen = [examples[order[place]] for place in draw(random)]
        mel = collate([example.heard for example in chosen])
        return mel, _silence(mel, 0, random), chosen

    train(folder, model, batch_of, _losses, lambda _: {}, schedule)
    folders.save(folder, model.state_dict(), asdict(model.sizes), {"seconds": seconds_of(folder)})
    finished(folder)
    return seconds_of(folder)


def _silence(mel: Tensor, window: int, random: np.random.Generator) -> Silence:
    """Silence up to `window` positions; some positions of it in any case."""
    speech = mel.shape[2] // 2 - 2
    return Silence.drawn(speech, max(window, speech + SILENT), SILENT, random)


def trained(work: Path) -> tuple[TrainableWhisper, WhisperSizes]:
    """The Whisper that this step made. Raises `WeightsError`."""
    sizes = WhisperSizes(**folders.config(work, STEP))
    state = folders.tensors(work, STEP)
    model = TrainableWhisper(sizes, state["decoder.token_embedding.ids"], len(LETTERS))
    model.load_state_dict(state, strict=False)
    return model.eval(), sizes


def validated(model: nn.Module, vocabulary: Vocabulary, examples: Sequence[Example]) -> dict[str, float]:
    """Word error rates: of all clips with drawn silence, and of some as in use, with all of it."""
    assert isinstance(model, TrainableWhisper)
    random = np.random.default_rng(0)
    by_length = sorted(examples, key=lambda example: example.heard.frames)
    missed = said = 0
    for first in range(0, len(by_length), 32):
        some = by_length[first : first + 32]
        mel = collate([example.heard for example in some])
        silence = Silence.drawn(mel.shape[2] // 2 - 2, model.sizes.positions, 4 * SILENT, random)
        for example, text in zip(some, written(model, vocabulary, mel, silence), strict=True):
            wrong, words = errors(example.text, text)
            missed, said = missed + wrong, said + words
    figures = {"wer": missed / max(said, 1)}
    missed = said = 0
    for example in examples[:: max(1, len(examples) // WHOLE_CLIPS)]:
        text = written(model, vocabulary, whole(example.heard, model.sizes.positions), None)[0]
        wrong, words = errors(example.text, text)
        missed, said = missed + wrong, said + words
    return figures | {"wer_whole": missed / max(said, 1)}


def written(model: TrainableWhisper, vocabulary: Vocabulary, mel: Tensor, silence: Silence | None) -> list[str]:
    """What the model writes, the likeliest word at every place."""
    heard = model.encoder(mel, silence)
    quiet = None if silence is None else silence.bias(heard.shape[1] - len(silence.positions))
    places = torch.tensor([vocabulary.prompt] * len(mel))
    over = torch.zeros(len(mel), dtype=torch.bool)
    for _ in range(_LONGEST):
        following = model.decoder(places, heard, quiet)[:, -1, : len(vocabulary.ids)].argmax(-1)
        following[over] = vocabulary.end
        places = torch.cat((places, following[:, None]), dim=1)
        over |= following == vocabulary.end
        if bool(over.all()):
            break
    rows = [[place for place in row[len(vocabulary.prompt) :] if place != vocabulary.end] for row in places.tolist()]
    return [vocabulary.text(row) for row in rows]


def _examples(clips: Sequence[corpus.Clip], vocabulary: Vocabulary, mels: int, work: Path) -> list[Example]:
    return [
        Example(one, vocabulary.places(clip.text), letters_of(clip.text), clip.text)
        for clip, one in zip(clips, heard(clips, mels, work), strict=True)
    ]


def letters_of(text: str) -> tuple[int, ...]:
    """Places of a text's letters among `LETTERS`; other characters are left out."""
    return tuple(LETTERS.index(letter) for letter in text.lower() if letter in LETTERS)


def _losses(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """Cross-entropy of the words after the prompt, and CTC of the letters over the frames of the speech."""
    mel, silence, examples = batch
    places = nn.utils.rnn.pad_sequence([torch.tensor(one.places) for one in examples], True, _IGNORED)
    words, letters = model(mel, silence, places[:, :-1].clamp(min=0))
    wanted = places[:, 1:].clone()
    wanted[:, :3] = _IGNORED
    of_words = functional.cross_entropy(
        words.flatten(0, 1), wanted.flatten(), ignore_index=_IGNORED, label_smoothing=0.0
    )
    frames = mel.shape[2] // 2 - 2
    of_letters = functional.ctc_loss(
        letters[:, :frames].log_softmax(-1).transpose(0, 1),
        torch.cat([torch.tensor(one.letters) for one in examples]),
        torch.tensor([min(frames, one.heard.frames) for one in examples]),
        torch.tensor([len(one.letters) for one in examples]),
        blank=len(LETTERS),
        zero_infinity=True,
    )
    return {"loss": of_words + LETTERS_WEIGHT * of_letters, "words": of_words, "letters": of_letters}
