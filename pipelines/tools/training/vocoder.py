"""Step vocoder: units to sound (Polyak et al. 2021; Kong et al. 2020), learnt from spectra alone, no discriminator.

It learns on pieces that begin and end anywhere, as the chunks of streaming do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from firstpacket.pipelines.direct.llama_omni.chunking import SMALLEST_CHUNK
from firstpacket.pipelines.direct.llama_omni.config import SAMPLES_PER_FRAME, VocoderConfig
from firstpacket.pipelines.direct.llama_omni.vocoder import LAST_SLOPE, SLOPE, DurationPredictor, ResBlock, Vocoder
from firstpacket.pipelines.models.fields import Fields
from firstpacket.pipelines.models.tensors import read_json
from firstpacket.pipelines.tools.training import data as corpus
from firstpacket.pipelines.tools.training import folders, units
from firstpacket.pipelines.tools.training.loop import Schedule, finished, seconds_of, train
from firstpacket.pipelines.tools.training.spectra import Spectra

STEP = "vocoder"
SCHEDULE = Schedule(
    steps=2000, learning_rate=2e-3, warmup=100, validate_every=200, precision="bf16", weight_decay=0.0, clip=5.0
)
BATCH = 8
PIECE = 32
"""Frames of one piece."""
HELD_OUT = 20
"""One answer in so many is kept to judge by."""
JSON: dict[str, Any] = {
    "embedding_dim": 128,
    "model_in_dim": 128,
    "resblock": "1",
    "upsample_rates": [5, 4, 4, 2, 2],
    "upsample_kernel_sizes": [11, 8, 8, 4, 4],
    "upsample_initial_channel": 128,
    "resblock_kernel_sizes": [3, 7],
    "resblock_dilation_sizes": [[1, 3], [1, 3]],
    "dur_predictor_params": {
        "encoder_embed_dim": 128,
        "var_pred_hidden_dim": 128,
        "var_pred_kernel_size": 3,
        "var_pred_dropout": 0.5,
    },
    "f0": False,
    "multispkr": False,
    "sampling_rate": 16000,
    "code_hop_size": SAMPLES_PER_FRAME,
}
"""The published config.json, smaller; the number of units is that of the step before."""


@dataclass(frozen=True, slots=True)
class Example:
    """An answer: its units, the unit of every frame, and its sound."""

    spoken: units.Spoken
    frames: Tensor
    sound: Tensor


@dataclass(frozen=True, slots=True)
class Pieces:
    """Pieces `(n, frames)` int64 with their sound `(n, hop · frames)`, and whole sequences with durations."""

    frames: Tensor
    sound: Tensor
    sequences: Tensor
    durations: Tensor
    """0 behind the end of a sequence."""

    def to(self, device: torch.device) -> Pieces:
        """The same on a device."""
        return Pieces(*(getattr(self, field.name).to(device) for field in fields(self)))


class TrainableVocoder(Vocoder):
    """The vocoder on batches, with durations given; what it holds and what comes out is the vocoder's own."""

    def wave(self, frames: Tensor) -> Tensor:
        """The unit of every frame `(n, frames)` int64 to sound `(n, hop · frames)`."""
        x = self.conv_pre(self.dict(frames).transpose(1, 2))
        kinds = len(self.config.res_kernels)
        for index, up in enumerate(self.ups):
            x = up(functional.leaky_relu(x, SLOPE))
            blocks = self.resblocks[index * kinds : (index + 1) * kinds]
            x = torch.stack([_block(block, x) for block in blocks]).mean(0)
        # The last step stays in float32 whatever the rest works in: 16 bit would be heard as noise.
        with torch.autocast(x.device.type, enabled=False):
            return torch.tanh(self.conv_post(functional.leaky_relu(x.float(), LAST_SLOPE)))[:, 0]

    def log_durations(self, sequences: Tensor, known: Tensor) -> Tensor:
        """log(1 + frames) of units `(n, units)`; where `known` is false there is no unit, as behind a chunk's end."""
        return _durations(self.dur_predictor, self.dict(sequences), known)


class Learner(nn.Module):
    """The vocoder as the loop calls it."""

    def __init__(self, vocoder: TrainableVocoder) -> None:
        super().__init__()
        self.vocoder = vocoder

    def forward(self, pieces: Pieces) -> tuple[Tensor, Tensor]:
        """Sound `(n, hop · frames)` and durations `(n, units)` of a batch."""
        return self.vocoder.wave(pieces.frames), self.vocoder.log_durations(pieces.sequences, pieces.durations > 0)


def _block(block: nn.Module, x: Tensor) -> Tensor:
    assert isinstance(block, ResBlock)
    for dilated, plain in zip(block.convs1, block.convs2, strict=True):
        x = x + plain(functional.leaky_relu(dilated(functional.leaky_relu(x, SLOPE)), SLOPE))
    return x


def _durations(predictor: DurationPredictor, embedded: Tensor, known: Tensor) -> Tensor:
    """Zeros behind the end of a sequence at every convolution: a chunk's end looks like this."""
    x = predictor.conv1((embedded * known[..., None]).transpose(1, 2)).transpose(1, 2)
    x = predictor.ln1(x) * known[..., None]
    x = predictor.conv2(x.transpose(1, 2)).transpose(1, 2)
    out: Tensor = predictor.proj(predictor.ln2(x))[..., 0]
    return out


def run(
    data: Path,
    work: Path,
    schedule: Schedule = SCHEDULE,
    sizes: Mapping[str, Any] = JSON,
    batch: int = BATCH,
    piece: int = PIECE,
) -> dict[str, Any]:
    """Train, and write `work/vocoder/`. Returns the validation figures. Raises `CorpusError` or `WeightsError`."""
    torch.manual_seed(schedule.seed)
    spoken, count = units.made(work)
    known, unheard = split(examples(data, spoken), schedule.seed)
    config = {"num_embeddings": count, **sizes}
    model = Learner(TrainableVocoder(VocoderConfig.from_json(Fields(config, "the vocoder's sizes"))))
    spectra = Spectra()

    def losses_of(trained: nn.Module, pieces: Pieces) -> dict[str, Tensor]:
        pieces = pieces.to(next(trained.parameters()).device)
        sound, log_durations = trained(pieces)
        return losses(spectra, sound, log_durations.float(), pieces)

    def validate(trained: nn.Module) -> dict[str, float]:
        assert isinstance(trained, Learner)
        return validated(trained.vocoder, spectra, unheard)

    folder = work / STEP
    draw = drawer(known, batch, piece)
    figures: dict[str, Any] = dict(train(folder, model, draw, losses_of, validate, schedule))
    figures |= {"seed": schedule.seed, "steps": schedule.steps, "seconds": seconds_of(folder), "answers": len(known)}
    figures["units_sha256"] = folders.digest(work / units.STEP / units.SEQUENCES)
    folders.save(folder, model.vocoder.state_dict(), config, figures)
    finished(folder)
    return figures


def sizes_of(path: Path | None) -> dict[str, Any]:
    """The sizes in a published vocoder's config.json; ours without one. Raises `WeightsError`."""
    if path is None:
        return JSON
    given = Fields(read_json(path), str(path))
    return {name: given.value(name) for name in JSON}


def trained(work: Path) -> Vocoder:
    """The vocoder that this step made, as the pipeline runs it. Raises `WeightsError`."""
    vocoder = Vocoder(VocoderConfig.from_json(Fields(folders.config(work, STEP), str(work / STEP))))
    vocoder.load_state_dict(folders.tensors(work, STEP))
    return vocoder.eval().requires_grad_(False)


def examples(data: Path, spoken: Mapping[str, units.Spoken]) -> list[Example]:
    """All answers that have units. Raises `CorpusError`."""
    found = []
    for text, path in corpus.answers(data).items():
        if text in spoken:
            frames = torch.from_numpy(spoken[text].frames)
            sound = torch.from_numpy(corpus.sound(path)[spoken[text].start * SAMPLES_PER_FRAME :])
            whole = min(len(frames), len(sound) // SAMPLES_PER_FRAME)
            found.append(Example(spoken[text], frames[:whole], sound[: whole * SAMPLES_PER_FRAME]))
    return found


def split(every: Sequence[Example], seed: int) -> tuple[list[Example], list[Example]]:
    """Answers to learn from, and one in twenty to judge by."""
    order = np.random.default_rng(seed).permutation(len(every))
    held = max(1, len(every) // HELD_OUT)
    return [every[place] for place in order[held:]], [every[place] for place in order[:held]]


def drawer(known: Sequence[Example], batch: int, piece: int) -> Callable[[np.random.Generator], Pieces]:
    """Draws pieces of `piece` frames from anywhere, and chunks of units with their durations."""
    long_enough = [example for example in known if len(example.frames) >= piece]
    share = np.array([len(example.frames) for example in long_enough], np.float64)
    share /= share.sum()

    def draw(random: np.random.Generator) -> Pieces:
        chosen = [long_enough[place] for place in random.choice(len(share), batch, p=share)]
        starts = [int(random.integers(len(example.frames) - piece + 1)) for example in chosen]
        pairs = list(zip(chosen, starts, strict=True))
        frames = torch.stack([example.frames[start : start + piece] for example, start in pairs])
        hop = SAMPLES_PER_FRAME
        sound = torch.stack([example.sound[start * hop : (start + piece) * hop] for example, start in pairs])
        return Pieces(frames, sound, *_chunks([example.spoken for example in chosen], random))

    return draw


def _chunks(spoken: Sequence[units.Spoken], random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """A chunk of each answer's units, as streaming would cut them, and durations."""
    sequences, durations = [], []
    for one in spoken:
        start = int(random.integers(max(1, len(one.units) - SMALLEST_CHUNK)))
        length = int(random.integers(SMALLEST_CHUNK, 4 * SMALLEST_CHUNK))
        sequences.append(torch.tensor(one.units[start : start + length]))
        durations.append(torch.tensor(one.durations[start : start + length]))
    return nn.utils.rnn.pad_sequence(sequences, True), nn.utils.rnn.pad_sequence(durations, True)


def losses(spectra: Spectra, sound: Tensor, log_durations: Tensor, pieces: Pieces) -> dict[str, Tensor]:
    """Distance of the sound, and squared error of log(1 + frames)."""
    of_sound = spectra(sound, pieces.sound)
    known = pieces.durations > 0
    wanted = torch.log1p(pieces.durations[known].float())
    of_durations = functional.mse_loss(log_durations[known], wanted)
    return {"loss": of_sound + of_durations, "spectra": of_sound, "durations": of_durations}


def validated(model: TrainableVocoder, spectra: Spectra, unheard: Sequence[Example]) -> dict[str, float]:
    """Distance of whole answers never learnt from, with their own durations; and how far predicted lengths are off."""
    distance = off = length = 0.0
    for example in unheard:
        distance += float(spectra(model.wave(example.frames[None]), example.sound[None]))
        embedded = model.embed(torch.tensor(example.spoken.units))
        off += float(
            (model.durations(model.dur_predictor(embedded)) - torch.tensor(example.spoken.durations)).abs().sum()
        )
        length += len(example.frames)
    return {"spectra_unheard": distance / len(unheard), "duration_error": off / length}
