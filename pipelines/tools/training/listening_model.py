"""The listening half of the direct model: a frozen encoder, the adaptor, and the language model, over whole batches.

In use 300 embeddings of the published encoder stand in every prompt, and after short speech most of them are silence.
Here a few groups of silent frames, drawn anew for every batch, stand for all: in both attentions their keys weigh as
much as those that they stand for, and everything keeps the position it has in use. With all of them drawn this is the
published computation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from firstpacket.pipelines.direct.llama_omni.adaptor import SpeechAdaptor
from firstpacket.pipelines.direct.llama_omni.prompt import SPEECH_TOKEN
from firstpacket.pipelines.tools.training import llm_model
from firstpacket.pipelines.tools.training.block_encoder import encode_in_blocks
from firstpacket.pipelines.tools.training.features import ClipFeatures, Masks, collate
from firstpacket.pipelines.tools.training.llm_model import IGNORED, TrainableLlama
from firstpacket.pipelines.tools.training.whisper import Encoder, Silence

_SHARPNESS = 20.0


@dataclass(frozen=True, slots=True)
class Example:
    """A spoken question, its words as ids, and the ids of its reply with the end of the turn."""

    heard: ClipFeatures
    question: tuple[int, ...]
    reply: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Spoken questions with their replies.

    `mel` `(b, mels, 2 · speech + 4)` float32: each clip and its own silence. `silence`: the frames that stand for all
    further ones, in whole groups. `questions` `(b, q)` and `replies` `(b, r)` int64, padded at their ends with
    `IGNORED`.
    """

    mel: Tensor
    silence: Silence
    questions: Tensor
    replies: Tensor

    @classmethod
    def of(
        cls,
        examples: Sequence[Example],
        extent: Extent,
        groups: int,
        random: np.random.Generator,
        masks: Masks | None = None,
    ) -> Batch:
        """Clips that are all as long as the longest, and `groups` groups of silence after it."""
        mel = collate([one.heard for one in examples], masks, random)
        frames = mel.shape[2] // 2 - 2
        missing = -frames % extent.joined
        mel = torch.cat((mel, mel[:, :, -1:].expand(-1, -1, 2 * missing)), dim=2)
        silence = extent.silence((frames + missing) // extent.joined, groups, random)
        questions, replies = ([one.question for one in examples], [one.reply for one in examples])
        return cls(mel, silence, llm_model.padded(questions, IGNORED), llm_model.padded(replies, IGNORED))


@dataclass(frozen=True, slots=True)
class Extent:
    """How long speech is in use: `frames` of the encoder, `joined` of which become one embedding."""

    frames: int
    joined: int

    @property
    def embeddings(self) -> int:
        """Embeddings in every prompt: 300 as published."""
        return self.frames // self.joined

    def silence(self, speech: int, groups: int, random: np.random.Generator) -> Silence:
        """The frames of `groups` of the groups from number `speech` on; of all if there are no more."""
        every = Silence.drawn(speech, self.embeddings, groups, random)
        inside = torch.arange(self.joined)
        return Silence((every.positions[:, None] * self.joined + inside).flatten(), every.log_weight)


class Listener(nn.Module):
    """Everything from features to the words of the reply, in training. The encoder stays as it is."""

    def __init__(self, encoder: Encoder, adaptor: SpeechAdaptor, llm: TrainableLlama, prompt: Sequence[int]) -> None:
        """`prompt` holds the ids of the published prompt, with `SPEECH_TOKEN` in the place of the speech."""
        super().__init__()
        self.encoder = encoder.requires_grad_(False)
        self.adaptor = adaptor
        self.llm = llm
        self.extent = Extent(len(encoder.positional_embedding), adaptor.joined)
        place = list(prompt).index(SPEECH_TOKEN)
        self._before, self._after = list(prompt[:place]), list(prompt[place + 1 :])
        self.blank = nn.Parameter(torch.randn(llm.llama.config.hidden))
        self.sharpness = nn.Parameter(torch.tensor(_SHARPNESS))

    def forward(self, batch: Batch | BlockBatch) -> tuple[Tensor, Tensor]:
        """What training looks at: see `states`, `words`. Both are float32.

        Logits `(k, vocab)` of all k ids of the replies, row by row; and of the question's words, of which none is last,
        `(b, speech, vocab + 1)`.
        """
        heard = self.speech(batch)
        return self.llm.logits(self.states(batch, heard)), self.words(heard[:, : self._spoken(batch)])

    def words(self, speech: Tensor) -> Tensor:
        """Likenesses (cosines, sharpened) of embeddings `(b, n, hidden)` to those of the words, and to a blank.

        They lead the adaptor to what the language model already reads. Of use in training alone.
        """
        known = torch.cat((self.llm.llama.model.embed_tokens.weight.detach(), self.blank[None]))
        return (functional.normalize(speech, dim=-1) @ functional.normalize(known, dim=-1).T).float() * self.sharpness

    def states(self, batch: Batch | BlockBatch, heard: Tensor | None = None) -> Tensor:
        """The language model's last states `(k, hidden)` from which the k ids of the replies are predicted.

        `heard` is what `speech` made of the batch, if that is known.
        """
        heard = self.speech(batch) if heard is None else heard
        labels = labelled(batch.replies).to(heard.device)
        embed = self.llm.llama.embed
        after = embed(self._ids(self._after)).expand(len(heard), -1, -1)
        rows = torch.cat((heard, after, embed(batch.replies.to(heard.device).clamp(min=0))), dim=1)
        positions, weights = self._places(batch)
        head = embed(self._ids(self._before))
        states = self.llm.states(
            head, rows, positions.to(heard.device), None if weights is None else weights.to(heard.device)
        )
        return llm_model.predicting(states[:, rows.shape[1] - labels.shape[1] :], labels)

    def speech(self, batch: Batch | BlockBatch) -> Tensor:
        """Features to embeddings `(b, n, hidden)`: those of the speech, then those of the drawn silence."""
        assert isinstance(batch, Batch)
        with torch.no_grad():
            frames = self.encoder(batch.mel.to(self._device), batch.silence)
        return adapted(self.adaptor, frames)

    @property
    def _device(self) -> torch.device:
        return self.encoder.positional_embedding.device

    def _ids(self, ids: list[int]) -> Tensor:
        return torch.tensor(ids, dtype=torch.int64, device=self._device)

    def _spoken(self, batch: Batch | BlockBatch) -> int:
        """Embeddings before those of the drawn silence."""
        return (batch.mel.shape[2] // 2 - 2) // self.extent.joined

    def _places(self, batch: Batch | BlockBatch) -> tuple[Tensor, Tensor | None]:
        """Of every place of a row: its position in use, and the log of its weight as a key, if they differ."""
        assert isinstance(batch, Batch)
        speech = self._spoken(batch)
        silent = batch.silence.positions[:: self.extent.joined] // self.extent.joined
        head, text = len(self._before), len(self._after) + batch.replies.shape[1]
        positions = torch.cat(
            (
                torch.arange(head + speech),
                head + silent,
                head + self.extent.embeddings + torch.arange(text),
            )
        )
        weights = torch.zeros(len(positions))
        weights[head + speech : head + speech + len(silent)] = batch.silence.log_weight
        return positions, weights


@dataclass(frozen=True, slots=True)
class BlockBatch:
    """Spoken questions with their replies, for a streaming encoder with blocks of `block` frames.

    `mel` `(b, mels, 2 · joined · groups)` float32; `questions` `(b, q)` and `replies` `(b, r)` as in `Batch`.
    """

    mel: Tensor
    block: int
    questions: Tensor
    replies: Tensor


class BlockListener(Listener):
    """The same with a streaming encoder: a prompt has the embeddings of the speech, and no others."""

    def speech(self, batch: Batch | BlockBatch) -> Tensor:
        """Features to embeddings `(b, groups, hidden)`."""
        assert isinstance(batch, BlockBatch)
        with torch.no_grad():
            frames = encode_in_blocks(self.encoder, batch.mel.to(self._device), batch.block)
        return adapted(self.adaptor, frames)

    def _spoken(self, batch: Batch | BlockBatch) -> int:
        return batch.mel.shape[2] // (2 * self.extent.joined)

    def _places(self, batch: Batch | BlockBatch) -> tuple[Tensor, None]:
        text = len(self._after) + batch.replies.shape[1]
        return torch.arange(len(self._before) + self._spoken(batch) + text), None


def adapted(adaptor: SpeechAdaptor, frames: Tensor) -> Tensor:
    """Frames `(b, n, state)` of whole groups to embeddings `(b, n / joined, hidden)`."""
    groups = frames.reshape(len(frames), frames.shape[1] // adaptor.joined, -1)
    out: Tensor = adaptor.linear2(functional.relu(adaptor.linear1(groups)))
    return out


def labelled(replies: Tensor) -> Tensor:
    """Replies behind one place that is not learnt: the last of the prompt, which predicts their first id."""
    return functional.pad(replies, (1, 0), value=IGNORED)
