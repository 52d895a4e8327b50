"""Stage 1: batches with drawn silence against the code that answers in use, and what is learnt and what is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

pytest.importorskip("transformers", exc_type=ImportError)
pytest.importorskip("accelerate", exc_type=ImportError)

from bench.pipeline import Samples
from pipelines.direct.llama_omni.adaptor import SpeechAdaptor
from pipelines.direct.llama_omni.config import AdaptorConfig, EncoderConfig
from pipelines.direct.llama_omni.encoder import SpeechEncoder
from pipelines.direct.llama_omni.features import LogMel
from pipelines.direct.llama_omni.prompt import SPEECH_TOKEN, Prompt
from pipelines.models.kv_cache import KVCache
from pipelines.models.llama import LlamaConfig
from pipelines.models.whisper_sizes import WhisperSizes
from pipelines.training.hearing import features
from pipelines.training.listening_model import Batch, Extent, Lesson, Listener
from pipelines.training.llm_model import TrainableLlama
from pipelines.training.whisper import Encoder

CPU = torch.device("cpu")
SIZES = WhisperSizes(state=16, heads=2, layers=2, decoder_layers=1, mels=8, positions=100)
EXTENT = Extent(SIZES.positions, 5)
PROMPT = [3, 3, 9, 11, SPEECH_TOKEN, 12, 13, 14]
LLAMA = LlamaConfig(24, 2, 4, 2, 6, 48, 40, tied=True)
REPLIES = ((20, 21, 22, 5), (23, 5))


@pytest.fixture(scope="module")
def listener() -> Listener:
    torch.manual_seed(3)
    llm = TrainableLlama.fresh(LLAMA)
    adaptor = SpeechAdaptor(AdaptorConfig(5, SIZES.state, 24, 20))
    return Listener(Encoder(SIZES), adaptor, llm, PROMPT).eval()


def speech(seconds: float, seed: int) -> Samples:
    return np.random.default_rng(seed).normal(0, 0.1, int(16000 * seconds)).astype(np.float32)


def in_use(listener: Listener, samples: Samples, reply: tuple[int, ...]) -> Tensor:
    """States from which a reply is predicted, by the code that answers: one clip, no batch, all of the silence."""
    encoder = SpeechEncoder(EncoderConfig(SIZES.mels, SIZES.positions, SIZES.state, SIZES.heads, SIZES.layers))
    encoder.load_state_dict(listener.encoder.state_dict())
    llama = listener.llm.llama
    frames = encoder(LogMel(SIZES.mels, 2 * SIZES.positions, CPU)(samples))
    prompt = Prompt(PROMPT, CPU).splice(llama.embed, listener.adaptor(frames))
    cache = KVCache(llama.config, len(prompt) + len(reply), CPU, torch.float32)
    states = [llama(prompt, cache)]
    states += [llama(llama.embed(torch.tensor([word])), cache) for word in reply[:-1]]
    return torch.cat(states)


@torch.no_grad()
def test_with_all_silence_drawn_a_batch_is_what_is_computed_in_use(listener: Listener) -> None:
    said = [speech(0.5, 1), speech(0.9, 2)]
    lessons = [Lesson(features(one, SIZES.mels), (7, 8), reply) for one, reply in zip(said, REPLIES, strict=True)]
    batch = Batch.of(lessons, EXTENT, EXTENT.embeddings, np.random.default_rng(0))
    wanted = torch.cat([in_use(listener, *one) for one in zip(said, REPLIES, strict=True)])
    torch.testing.assert_close(listener.states(batch), wanted, rtol=0, atol=5e-3)
