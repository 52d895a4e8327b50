"""The model from which a streaming one is made: it hears 30 s, and has learnt to answer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from firstpacket.pipelines.direct.llama_omni.adaptor import SpeechAdaptor
from firstpacket.pipelines.direct.llama_omni.config import AdaptorConfig
from firstpacket.pipelines.models import llama_files
from firstpacket.pipelines.models.fields import Fields
from firstpacket.pipelines.models.llama_config import LlamaConfig
from firstpacket.pipelines.models.tensors import CPU, SafetensorsFolder, fill, read_json
from firstpacket.pipelines.tools.training import folders, listening, tokenizer
from firstpacket.pipelines.tools.training.asr import trained as trained_whisper
from firstpacket.pipelines.tools.training.listening import ADAPTOR, JOINED, prompt, read_encoder
from firstpacket.pipelines.tools.training.listening_model import Listener
from firstpacket.pipelines.tools.training.llm_model import TrainableLlama
from firstpacket.pipelines.tools.training.whisper import Block, Encoder


@dataclass(frozen=True)
class Teacher:
    """A published model, or the one that the steps asr and listening left in `work`."""

    work: Path
    encoder: Path | None = None
    """A Whisper's folder in transformers' layout, or openai-whisper's `.pt`."""
    llm: Path | None = None
    """The folder of a LLaMA-Omni: its language model and adaptor."""

    @property
    def folder(self) -> Path:
        """Language model, adaptor and tokenizer. Raises `WeightsError` if they were not made."""
        if self.llm is None:
            folders.config(self.work, listening.STEP)
        return self.llm or self.work / listening.STEP

    @cached_property
    def speech_encoder(self) -> Encoder:
        """The speech encoder, in float32. Raises `WeightsError`."""
        return trained_whisper(self.work)[0].encoder if self.encoder is None else read_encoder(self.encoder)

    @property
    def mels(self) -> int:
        """Mel bands that it hears."""
        return self.speech_encoder.conv1.in_channels

    def adaptor(self) -> SpeechAdaptor:
        """A copy of the adaptor. Raises `WeightsError`."""
        tensors = SafetensorsFolder(self.folder)
        inner, joined_state = tensors.shape(f"{ADAPTOR}linear1.weight")
        hidden = tensors.shape(f"{ADAPTOR}linear2.weight")[0]
        adaptor = SpeechAdaptor(AdaptorConfig(JOINED, joined_state // JOINED, hidden, inner))
        fill(adaptor, tensors, ADAPTOR, CPU, torch.float32)
        return adaptor

    def language_model(self, sparing: bool = False) -> TrainableLlama:
        """A copy of the language model, to be trained. Raises `WeightsError`."""
        where = self.folder / "config.json"
        config = LlamaConfig.from_json(Fields(read_json(where), str(where)).json, str(where))
        llama, _ = llama_files.read(self.folder, config, CPU, torch.float32)
        return TrainableLlama(llama.requires_grad_(True), sparing)

    def words(self) -> Any:
        """The tokenizer. Raises `WeightsError`."""
        return tokenizer.read(self.folder)

    def listener(self) -> Listener:
        """All of it, as stage 1 trained it. Raises `WeightsError`."""
        made = Listener(self.speech_encoder, self.adaptor(), self.language_model(), prompt(self.words()))
        return made.eval()

    @property
    def digest(self) -> str:
        """Changes with the encoder and the adaptor, which teach."""
        found = hashlib.sha256()
        for part in (self.speech_encoder, self.adaptor()):
            for tensor in part.state_dict().values():
                found.update(tensor.numpy().tobytes())
        return found.hexdigest()[:12]


def heads(encoder: Encoder) -> int:
    """How many heads its attention has."""
    first = encoder.blocks[0]
    assert isinstance(first, Block)
    return first.attn.heads
