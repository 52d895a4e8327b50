"""What is heard of the replies: clips of the validation go through the streaming code, and pocketsphinx listens.

As the paper has it (section 4.2, ASR-WER): words of what a recogniser hears against what the model itself wrote.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from firstpacket.bench.paths import replace_text
from firstpacket.bench.pipeline import Samples
from firstpacket.bench.quality.wer import errors
from firstpacket.bench.timing.clock import MonotonicClock
from firstpacket.bench.timing.trace import Trace
from firstpacket.pipelines.direct.llama_omni.config import AdaptorConfig, EncoderConfig, OmniConfig, VocoderConfig
from firstpacket.pipelines.direct.llama_omni.model import LlamaOmni
from firstpacket.pipelines.direct.llama_omni.prompt import Prompt
from firstpacket.pipelines.direct.llama_omni.sampling import Choices, Sampling
from firstpacket.pipelines.direct.llama_omni.streaming import Assistant, Plan
from firstpacket.pipelines.models.fields import Fields
from firstpacket.pipelines.models.tensors import CPU, LoadedTensors, Uninitialised, fill
from firstpacket.pipelines.tools.quality.choosing import recogniser_judge
from firstpacket.pipelines.tools.quality.judges import RecogniserJudge
from firstpacket.pipelines.tools.training import data as corpus
from firstpacket.pipelines.tools.training import folders, listening, speaking, vocoder
from firstpacket.pipelines.tools.training.listening_model import Listener
from firstpacket.pipelines.tools.training.llm import ENDS
from firstpacket.pipelines.tools.training.speaking_model import config_of
from firstpacket.pipelines.tools.training.whisper import Block

REPLIES = "replies.json"
EAR = "pocketsphinx"
"""The recogniser that comes with its model; without a grammar."""
LONGEST = 64
"""Tokens of a reply."""


@dataclass(frozen=True, slots=True)
class SpokenReply:
    """A clip, what was written in answer, and its sound: float32 `(n,)` at 16 kHz."""

    clip: corpus.Clip
    text: str
    sound: Samples


def judged(data: Path, work: Path, count: int = 64, chunk_units: int = 10, unpaired: bool = False) -> dict[str, Any]:
    """Figures of up to `count` validation clips, written next to the step's result.

    `asr_wer` is that of the replies, `asr_wer_of_the_voice` that of the answer voice saying the right answers.
    """
    step = speaking.UNPAIRED if unpaired else speaking.STEP
    ear = recogniser_judge(EAR, "cpu")
    ear.load()
    every = corpus.clips(data, "validation")
    some = [every[place] for place in np.random.default_rng(0).permutation(len(every))[:count]]
    answered = replies(some, work, step, chunk_units)
    voice = corpus.answers(data)
    figures = {
        "clips": len(answered),
        "chunk_units": chunk_units,
        "right_texts": sum(one.text == one.clip.answer for one in answered) / len(answered),
        "seconds_of_sound": sum(len(one.sound) for one in answered) / 16000 / len(answered),
        "asr_wer": wer(ear, [(one.text, one.sound) for one in answered]),
        "asr_wer_of_the_voice": wer(ear, [(clip.answer, corpus.sound(voice[clip.answer])) for clip in some]),
    }
    replace_text(work / step / REPLIES, json.dumps(figures, indent=1) + "\n")
    return figures


def wer(ear: RecogniserJudge, pairs: Sequence[tuple[str, Samples]]) -> float:
    """Word errors of what is heard, per word of the texts."""
    counted = [errors(text, ear.transcript(sound, "en", f"the reply {text!r}")) for text, sound in pairs]
    return sum(wrong for wrong, _ in counted) / max(1, sum(words for _, words in counted))


def replies(clips: Sequence[corpus.Clip], work: Path, step: str, chunk_units: int) -> list[SpokenReply]:
    """What the model writes and says, chunk by chunk as in use."""
    made, words = assistant(work, step, chunk_units)
    found = []
    for clip in clips:
        turn = made.turn(Trace(MonotonicClock()))
        packets = [packet.samples for packet in turn.packets([corpus.sound(clip.path)])]
        text = str(words.decode(turn.ids, skip_special_tokens=True)).strip()
        found.append(SpokenReply(clip, text, np.concatenate(packets) if packets else np.zeros(0, np.float32)))
    return found


def assistant(work: Path, step: str, chunk_units: int) -> tuple[Assistant, Any]:
    """The whole model that the steps made, as it streams, and its tokenizer. Raises `WeightsError`."""
    listener, words = listening.trained(work)
    config = _config(work, step, listener, words)
    with Uninitialised():
        model = LlamaOmni.without_weights(config, CPU, torch.float32)
    parts = {
        model.encoder: listener.encoder.state_dict(),
        model.adaptor: listener.adaptor.state_dict(),
        model.llm: listener.llm.llama.state_dict(),
        model.speech_decoder: folders.tensors(work, step),
        model.vocoder: folders.tensors(work, vocoder.STEP),
    }
    for part, tensors in parts.items():
        fill(part, LoadedTensors(tensors, str(work)), "", CPU, torch.float32)
    plan = Plan(
        prompt=Prompt(listening.prompt(words), CPU),
        choices=Choices(Sampling(0.0, 1.0, 0), CPU),
        eos=frozenset(config.eos),
        max_new_tokens=LONGEST,
        chunk_units=chunk_units,
    )
    return Assistant(model, plan), words


def _config(work: Path, step: str, listener: Listener, words: Any) -> OmniConfig:
    """Sizes of all parts, as they were trained."""
    encoder, llm = listener.encoder, listener.llm.llama.config
    positions, state = encoder.positional_embedding.shape
    first = encoder.blocks[0]
    assert isinstance(first, Block)
    sizes = EncoderConfig(encoder.conv1.in_channels, positions, state, first.attn.heads, len(encoder.blocks))
    known = words.get_vocab()
    return OmniConfig(
        encoder=sizes,
        adaptor=AdaptorConfig(listener.adaptor.joined, state, llm.hidden, listener.adaptor.linear1.out_features),
        llm=llm,
        speech_decoder=config_of(work, step, llm),
        vocoder=VocoderConfig.from_json(Fields(folders.config(work, vocoder.STEP), str(work / vocoder.STEP))),
        bos=words.bos_token_id,
        eos=tuple(known[mark] for mark in ENDS if mark in known),
    )
