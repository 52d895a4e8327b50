"""Step asr: a small Whisper learns to write what it hears; its encoder then listens for the direct model, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.corpus.manifest import MANIFEST
from bench.quality.words import errors
from pipelines.models import whisper_tokens as tokens
from pipelines.models.whisper_sizes import WhisperSizes
from pipelines.training import data as corpus
from pipelines.training import folders
from pipelines.training.hearing import Heard, Masks, alike, features, joined, whole
from pipelines.training.loop import Schedule, finished, seconds_of, train
from pipelines.training.whisper import Silence, TrainableWhisper

STEP = "asr"
SIZES = WhisperSizes(state=128, heads=2, layers=4, decoder_layers=2)
SCHEDULE = Schedule(
    steps=1600, learning_rate=1.5e-3, warmup=150, validate_every=200, precision="bf16", weight_decay=0.02
)
BATCH = 48
SILENT = 24
"""Positions of silence that stand for all of them."""
LETTERS = "abcdefghijklmnopqrstuvwxyz' "
LETTERS_WEIGHT = 0.4
"""Of the letters' loss; they are what makes attention find its place within a few hundred steps."""
WHOLE_CLIPS = 64
"""Clips of the validation that are heard with all their silence, as in use."""
_LONGEST = 48
_IGNORED = -100


@dataclass(frozen=True, slots=True)
class Lesson:
    """One clip: its features, its words as places among those in use (prompt and end included), its letters."""

    heard: Heard
    places: tuple[int, ...]
    letters: tuple[int, ...]
    text: str


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
    data: Path, work: Path, schedule: Schedule = SCHEDULE, sizes: WhisperSizes = SIZES, batch: int = BATCH
) -> dict[str, Any]:
    """Train, and write `work/asr/`. Returns the validation figures."""
    torch.manual_seed(schedule.seed)
    spoken = corpus.clips(data, "train")
    vocabulary = Vocabulary.of([clip.text for clip in spoken], sizes.vocab)
    lessons = [_lesson(clip, vocabulary, sizes.mels) for clip in spoken]
    unheard = [_lesson(clip, vocabulary, sizes.mels) for clip in corpus.clips(data, "validation")]
    model = TrainableWhisper(sizes, torch.tensor(vocabulary.ids), len(LETTERS))
    draw = alike([lesson.heard.frames for lesson in lessons], batch)

    def batch_of(random: np.random.Generator) -> tuple[Tensor, Silence, list[Lesson]]:
        chosen = [lessons[place] for place in draw(random)]
        mel = joined([lesson.heard for lesson in chosen], Masks(), random)
        speech = mel.shape[2] // 2 - 2
        return mel, Silence.drawn(speech, sizes.positions, SILENT, random), chosen

    def validate(trained: nn.Module) -> dict[str, float]:
        return validated(trained, vocabulary, unheard)

    folder = work / STEP
    figures: dict[str, Any] = dict(train(folder, model, batch_of, _losses, validate, schedule))
    figures |= {"seed": schedule.seed, "steps": schedule.steps, "seconds": seconds_of(folder), "clips": len(lessons)}
    figures["manifest_sha256"] = folders.digest(data / MANIFEST)
    kept = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("letters.")}
    folders.save(folder, kept, asdict(sizes), figures)
    finished(folder)
    return figures


def trained(work: Path) -> tuple[TrainableWhisper, WhisperSizes]:
    """The Whisper that this step made. Raises `WeightsError`."""
    sizes = WhisperSizes(**folders.config(work, STEP))
    state = folders.tensors(work, STEP)
    model = TrainableWhisper(sizes, state["decoder.token_embedding.ids"], len(LETTERS))
    model.load_state_dict(state, strict=False)
    return model.eval(), sizes


def validated(model: nn.Module, vocabulary: Vocabulary, lessons: Sequence[Lesson]) -> dict[str, float]:
    """Word error rates: of all clips with drawn silence, and of some as in use, with all of it."""
    assert isinstance(model, TrainableWhisper)
    random = np.random.default_rng(0)
    by_length = sorted(lessons, key=lambda lesson: lesson.heard.frames)
    missed = said = 0
    for first in range(0, len(by_length), 32):
        some = by_length[first : first + 32]
        mel = joined([lesson.heard for lesson in some])
        silence = Silence.drawn(mel.shape[2] // 2 - 2, model.sizes.positions, 4 * SILENT, random)
        for lesson, text in zip(some, written(model, vocabulary, mel, silence), strict=True):
            wrong, words = errors(lesson.text, text)
            missed, said = missed + wrong, said + words
    figures = {"wer": missed / max(said, 1)}
    missed = said = 0
    for lesson in lessons[:: max(1, len(lessons) // WHOLE_CLIPS)]:
        text = written(model, vocabulary, whole(lesson.heard, model.sizes.positions), None)[0]
        wrong, words = errors(lesson.text, text)
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


def _lesson(clip: corpus.Clip, vocabulary: Vocabulary, mels: int) -> Lesson:
    letters = tuple(LETTERS.index(letter) for letter in clip.text.lower() if letter in LETTERS)
    return Lesson(features(corpus.sound(clip.path), mels), vocabulary.places(clip.text), letters, clip.text)


def _losses(model: nn.Module, batch: tuple[Tensor, Silence, list[Lesson]]) -> dict[str, Tensor]:
    """Cross-entropy of the words after the prompt, and CTC of the letters over the frames of the speech."""
    mel, silence, lessons = batch
    places = nn.utils.rnn.pad_sequence([torch.tensor(one.places) for one in lessons], True, _IGNORED)
    words, letters = model(mel, silence, places[:, :-1].clamp(min=0))
    wanted = places[:, 1:].clone()
    wanted[:, :3] = _IGNORED
    of_words = functional.cross_entropy(
        words.flatten(0, 1), wanted.flatten(), ignore_index=_IGNORED, label_smoothing=0.0
    )
    frames = mel.shape[2] // 2 - 2
    of_letters = functional.ctc_loss(
        letters[:, :frames].log_softmax(-1).transpose(0, 1),
        torch.cat([torch.tensor(one.letters) for one in lessons]),
        torch.tensor([min(frames, one.heard.frames) for one in lessons]),
        torch.tensor([len(one.letters) for one in lessons]),
        blank=len(LETTERS),
        zero_infinity=True,
    )
    return {"loss": of_words + LETTERS_WEIGHT * of_letters, "words": of_words, "letters": of_letters}
