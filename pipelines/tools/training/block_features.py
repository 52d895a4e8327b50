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

from firstpacket.bench.pipeline import Samples
from firstpacket.pipelines.direct.llama_omni.config import HOP, N_FFT
from firstpacket.pipelines.direct.llama_omni.features import mel_filters
from firstpacket.pipelines.tools.training.data import Clip, speech
from firstpacket.pipelines.tools.training.features import Masks, hide
from firstpacket.pipelines.tools.training.kept_features import name_of, save_kept

GROUP = 10
"""Features of one embedding of 100 ms."""
GROUP_SAMPLES = GROUP * HOP
CEILING = 1.5
"""What the loudest features come to (log10 of power). Published features are floored at 8 below the loudest of the
utterance, which is known at its end alone."""
SILENCE_FOLLOWS = 0.5
"""Share of the batches in which silence follows: who waits for the end of speech hears some."""
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
    """Features of a clip `(n,)` at 16 kHz; the window of each ends where its 10 ms end."""
    missing = -len(samples) % GROUP_SAMPLES
    audio = functional.pad(torch.from_numpy(np.ascontiguousarray(samples)), (N_FFT - HOP, missing))
    window, filters = _front_end(mels)
    power = torch.stft(audio, N_FFT, HOP, window=window, center=False, return_complex=True).abs() ** 2
    log_mel = (filters @ power).clamp(min=1e-10).log10()
    return SpokenFeatures((((log_mel.clamp(min=CEILING - 8.0)) + 4.0) / 4.0).half())


def joined(
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
        return functional.pad(mel, (0, missing), value=(CEILING - 8.0 + 4.0) / 4.0)
    loudness = mel.mean(0)
    quietest = loudness.argsort()[: max(1, round(QUIETEST * len(loudness)))].numpy()
    return torch.cat((mel, mel[:, torch.from_numpy(random.choice(quietest, missing))]), dim=1)


@lru_cache
def _front_end(mels: int) -> tuple[Tensor, Tensor]:
    return torch.hann_window(N_FFT), torch.from_numpy(mel_filters(mels))


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
