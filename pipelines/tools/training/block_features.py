"""Features of clips as a streaming encoder takes them in: nothing of them depends on later samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from firstpacket.bench.pipeline import SAMPLE_RATE, Samples
from firstpacket.pipelines.direct.llama_omni.blocks import OVERLAP, STEP_MS
from firstpacket.pipelines.direct.llama_omni.config import HOP
from firstpacket.pipelines.direct.llama_omni.features import CAUSAL_SILENCE, CausalLogMel
from firstpacket.pipelines.models.tensors import CPU
from firstpacket.pipelines.tools.training.data import Clip, speech
from firstpacket.pipelines.tools.training.features import Masks, hide
from firstpacket.pipelines.tools.training.kept_features import name_of, save_kept

GROUP_SAMPLES = STEP_MS * SAMPLE_RATE // 1000
GROUP = GROUP_SAMPLES // HOP
"""Mel frames of one embedding of 100 ms."""
SILENCE_FOLLOWS = 0.5
"""Share of the training batches that end in silence, as speech does for a system that detects its end."""
LONGEST_SILENCE = 20
"""Groups of 100 ms."""
QUIETEST = 0.1
"""Share of a clip's features that show how its silence sounds."""


@dataclass(frozen=True, slots=True)
class SpokenFeatures:
    """Features `(mels, 10 · groups)` float16 of a clip up to the end of speech, and zeros up to the next 100 ms."""

    mel: Tensor

    @property
    def groups(self) -> int:
        """Embeddings of 100 ms."""
        return self.mel.shape[1] // GROUP


def causal_features(samples: Samples, mels: int) -> SpokenFeatures:
    """Features of a clip `(n,)` at 16 kHz, by the front end of the streaming encoder."""
    padded = np.pad(samples, (OVERLAP, -len(samples) % GROUP_SAMPLES))
    return SpokenFeatures(_front_end(mels)(padded).half())


def collate(
    some: Sequence[SpokenFeatures], longest: int, random: np.random.Generator, masks: Masks | None = None
) -> Tensor:
    """Features `(b, mels, 10 · groups)` float32 of clips, and the silence after them: digital, or as it sounds in them.

    At most `longest` groups. To learn from (with `masks`), half the batches end in up to 2 s of silence, and parts of
    the speech are hidden.
    """
    groups = max(one.groups for one in some)
    if masks is not None and random.random() < SILENCE_FOLLOWS:
        groups += int(random.integers(1, LONGEST_SILENCE + 1))
    length = min(groups, longest) * GROUP
    mel = torch.stack([_extended(one.mel[:, :length].float(), length, random) for one in some])
    for row, one in zip(mel, some, strict=True):
        if masks is not None:
            hide(row[:, : one.mel.shape[1]], masks, random)
    return mel


def _extended(mel: Tensor, length: int, random: np.random.Generator) -> Tensor:
    missing = length - mel.shape[1]
    if random.random() < 0.5:
        return functional.pad(mel, (0, missing), value=CAUSAL_SILENCE)
    loudness = mel.mean(0)
    quietest = loudness.argsort()[: max(1, round(QUIETEST * len(loudness)))].numpy()
    return torch.cat((mel, mel[:, torch.from_numpy(random.choice(quietest, missing))]), dim=1)


@lru_cache
def _front_end(mels: int) -> CausalLogMel:
    return CausalLogMel(mels, CPU)


def spoken_features(clips: Sequence[Clip], mels: int, work: Path) -> list[SpokenFeatures]:
    """Features of some clips, in their order; kept in `work/features/` under a name made of the files' hashes.

    Raises `CorpusError` for a clip that cannot be read.
    """
    path = work / "features" / f"causal-{name_of(clips, mels)}.safetensors"
    if path.is_file():
        kept = load_file(path)
        return [SpokenFeatures(mel) for mel in torch.split(kept["mel"], kept["lengths"].tolist(), dim=1)]
    made = [causal_features(speech(clip), mels) for clip in clips]
    tensors = {
        "mel": torch.cat([one.mel for one in made], dim=1),
        "lengths": torch.tensor([one.mel.shape[1] for one in made]),
    }
    save_kept(path, tensors)
    return made
