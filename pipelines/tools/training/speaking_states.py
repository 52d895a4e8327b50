"""What the speech decoder hears of the language model: its last states, for clips and their right replies.

Everything before the speech decoder is frozen in stage 2, so they are computed once and saved with the step's result.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from firstpacket.bench.corpus.manifest import MANIFEST
from firstpacket.pipelines.tools.training import data as corpus
from firstpacket.pipelines.tools.training import folders, listening, streaming_listening
from firstpacket.pipelines.tools.training.data import Clip
from firstpacket.pipelines.tools.training.listening_model import Batch, BlockBatch, Listener
from firstpacket.pipelines.tools.training.streaming_encoder import drawn_block

SILENT = 48
"""Groups of silent frames that stand for all of them; learning the states themselves was done with fewer."""
_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply's text, and the states `(m, state)` float16 that predict its m tokens, the end of the turn included."""

    text: str
    states: Tensor


@dataclass(frozen=True, slots=True)
class Source:
    """A model that listens, and whose states a speech decoder learns to speak from."""

    step: str
    """The step that leaves it in `work`."""
    states: Callable[[Sequence[Clip], Path], list[Tensor]]
    """From clips and `work` to the states `(m, state)` float16 of every clip's right reply, in the clips' order."""


def replies(
    data: Path, work: Path, split: str, per_answer: int, seed: int, source: Source, folder: Path
) -> list[Reply]:
    """Replies to the clips of a split, of every answer at most `per_answer`; the states are kept in `folder/states/`.

    Raises `CorpusError` or `WeightsError`.
    """
    clips = chosen(corpus.clips(data, split), per_answer, seed)
    made = f"{folders.digest(data / MANIFEST)}{folders.digest(work / source.step / folders.TENSORS)}{split}{seed}"
    key = hashlib.sha256(f"{made}:{per_answer}".encode()).hexdigest()[:12]
    kept = folder / "states" / f"{split}-{key}.safetensors"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        fresh = kept.with_suffix(".new")
        save_file({f"{place:06d}": states for place, states in enumerate(source.states(clips, work))}, fresh)
        fresh.replace(kept)
    states = load_file(kept)
    return [Reply(clip.answer, states[f"{place:06d}"]) for place, clip in enumerate(clips)]


def chosen(clips: Sequence[Clip], per_answer: int, seed: int) -> list[Clip]:
    """At most `per_answer` clips of every answer, drawn by the seed."""
    found: dict[str, list[Clip]] = {}
    for place in np.random.default_rng(seed).permutation(len(clips)):
        found.setdefault(clips[place].answer, []).append(clips[place])
    return [clip for some in found.values() for clip in some[:per_answer]]


def _of_whole_speech(clips: Sequence[Clip], work: Path) -> list[Tensor]:
    listener, words = listening.trained(work)
    examples = listening.examples_of(clips, words, listener, work)
    by_length = sorted(range(len(examples)), key=lambda place: examples[place].heard.frames)
    random = np.random.default_rng(0)

    def batches() -> Iterator[tuple[list[int], Batch]]:
        for first in range(0, len(by_length), _AT_ONCE):
            places = by_length[first : first + _AT_ONCE]
            yield places, Batch.of([examples[place] for place in places], listener.extent, SILENT, random)

    return _states(listener, [len(example.reply) for example in examples], batches())


def _of_blocks(clips: Sequence[Clip], work: Path) -> list[Tensor]:
    """As `streaming_listening` scores clips, but in blocks of a length drawn as in training."""
    listener, words = streaming_listening.trained(work)
    examples = streaming_listening.examples_of(clips, words, listener, work)
    random, longest = np.random.default_rng(0), listener.extent.embeddings

    def batches() -> Iterator[tuple[list[int], BlockBatch]]:
        for places in streaming_listening.places_by_length(examples):
            some = [examples[place] for place in places]
            yield places, streaming_listening.batched(some, longest, drawn_block(random), random)

    return _states(listener, [len(example.reply) for example in examples], batches())


@torch.inference_mode()
def _states(
    listener: Listener, lengths: Sequence[int], batches: Iterator[tuple[list[int], Batch | BlockBatch]]
) -> list[Tensor]:
    """States of every reply, in order; a batch comes with the places of its clips."""
    device = next(listener.parameters()).device
    found: dict[int, Tensor] = {}
    for places, batch in batches:
        with torch.autocast(device.type, torch.bfloat16):
            states = listener.states(batch)
        each = torch.split(states.cpu().half(), [lengths[place] for place in places])
        found |= zip(places, each, strict=True)
    return [found[place].clone() for place in range(len(lengths))]


LISTENING = Source(listening.STEP, _of_whole_speech)
STREAMING = Source(streaming_listening.STEP, _of_blocks)
