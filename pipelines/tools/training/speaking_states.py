"""What the speech decoder hears of the language model: its last states, for clips and their right replies.

Everything before the speech decoder is frozen in stage 2, so they are computed once and saved with the step's result.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from firstpacket.bench.corpus.manifest import MANIFEST
from firstpacket.pipelines.tools.training import data as corpus
from firstpacket.pipelines.tools.training import folders, listening
from firstpacket.pipelines.tools.training.data import Clip
from firstpacket.pipelines.tools.training.listening_model import Batch

SILENT = 48
"""Groups of silent frames that stand for all of them; learning the states themselves was done with fewer."""
_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply's text, and the states `(m, state)` float16 that predict its m tokens, the end of the turn included."""

    text: str
    states: Tensor


def replies(data: Path, work: Path, split: str, per_answer: int, seed: int) -> list[Reply]:
    """Replies to the clips of a split, of every answer at most `per_answer`. Raises `CorpusError` or `WeightsError`."""
    clips = chosen(corpus.clips(data, split), per_answer, seed)
    made = f"{folders.digest(data / MANIFEST)}{folders.digest(work / listening.STEP / folders.TENSORS)}{split}{seed}"
    key = hashlib.sha256(f"{made}:{per_answer}".encode()).hexdigest()[:12]
    kept = work / "speaking" / "states" / f"{split}-{key}.safetensors"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        fresh = kept.with_suffix(".new")
        save_file({f"{place:06d}": states for place, states in enumerate(_states(clips, work))}, fresh)
        fresh.replace(kept)
    states = load_file(kept)
    return [Reply(clip.answer, states[f"{place:06d}"]) for place, clip in enumerate(clips)]


def chosen(clips: Sequence[Clip], per_answer: int, seed: int) -> list[Clip]:
    """At most `per_answer` clips of every answer, drawn by the seed."""
    found: dict[str, list[Clip]] = {}
    for place in np.random.default_rng(seed).permutation(len(clips)):
        found.setdefault(clips[place].answer, []).append(clips[place])
    return [clip for some in found.values() for clip in some[:per_answer]]


@torch.inference_mode()
def _states(clips: Sequence[Clip], work: Path) -> list[Tensor]:
    """States of every clip's reply, in the order of the clips."""
    listener, words = listening.trained(work)
    device = next(listener.parameters()).device
    examples = listening.examples_of(clips, words, listener, work)
    by_length = sorted(range(len(examples)), key=lambda place: examples[place].heard.frames)
    found: dict[int, Tensor] = {}
    random = np.random.default_rng(0)
    for first in range(0, len(by_length), _AT_ONCE):
        places = by_length[first : first + _AT_ONCE]
        batch = Batch.of([examples[place] for place in places], listener.extent, SILENT, random)
        with torch.autocast(device.type, torch.bfloat16):
            states = listener.states(batch)
        lengths = [len(examples[place].reply) for place in places]
        found |= zip(places, torch.split(states.cpu().half(), lengths), strict=True)
    return [found[place].clone() for place in range(len(examples))]
