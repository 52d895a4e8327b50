"""Step vocoder with --start: a trained vocoder learns to end a reply without a click.

The recordings end in silence, and so do their units. Yet a vocoder makes every chunk as if nothing followed, and for
the last 4 ms its layers miss the frames that usually cancel their biases. Spectra hardly tell: these are few samples of
few pieces. So half of the pieces end as a reply does, and what should be silent there costs more.

Embeddings and durations stay as they are: chunks keep their lengths, to the frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from firstpacket.bench.errors import CorpusError
from firstpacket.pipelines.direct.llama_omni.checkpoint import VOCODER_FILE, read_vocoder
from firstpacket.pipelines.direct.llama_omni.config import SAMPLES_PER_FRAME, VocoderConfig
from firstpacket.pipelines.models.fields import Fields
from firstpacket.pipelines.models.tensors import CPU, SafetensorsFolder, fill, read_json
from firstpacket.pipelines.tools.training import folders, units, vocoder
from firstpacket.pipelines.tools.training.loop import Schedule, finished, seconds_of, train
from firstpacket.pipelines.tools.training.spectra import Spectra
from firstpacket.pipelines.tools.training.vocoder import Example, TrainableVocoder

SCHEDULE = Schedule(
    steps=800, learning_rate=2e-3, warmup=20, validate_every=100, precision="bf16", weight_decay=0.0, clip=5.0
)
BATCH = 12
"""A third of the pieces are from anywhere, the others are ends of replies."""
PIECE = 16
QUIET = 1e-3
"""-60 dBFS: what is below counts as silence, in recordings as in what is made."""
_WINDOW = 40
_END = 80
_LAST = 8
_LAST_WEIGHT = 50.0


def run(data: Path, work: Path, start: Path, schedule: Schedule = SCHEDULE, batch: int = BATCH) -> dict[str, Any]:
    """Train the vocoder in `start` further and write `work/vocoder/`. Returns the validation figures.

    `start` is the folder of a published vocoder or of the step vocoder. Raises `CorpusError` or `WeightsError`.
    """
    torch.manual_seed(schedule.seed)
    spoken, _ = units.made(work)
    known, unheard = vocoder.split(vocoder.examples(data, spoken), schedule.seed)
    model, config = read(start)
    spectra, draw = Spectra(), drawer(known, batch)
    ends = batch - batch // 3

    def losses_of(trained: nn.Module, pieces: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        device = next(trained.parameters()).device
        frames, wanted = (part.to(device) for part in pieces)
        return losses(spectra, trained(frames), wanted, ends)

    def validate(trained: nn.Module) -> dict[str, float]:
        assert isinstance(trained, Waves)
        return validated(trained.vocoder, spectra, unheard)

    with torch.no_grad():
        began = {f"{name}_at_start": value for name, value in validated(model, spectra, unheard).items()}
    folder = work / vocoder.STEP
    figures: dict[str, Any] = began | train(folder, Waves(model), draw, losses_of, validate, schedule)
    figures |= {"seed": schedule.seed, "steps": schedule.steps, "seconds": seconds_of(folder), "answers": len(known)}
    figures["units_sha256"] = folders.digest(work / units.STEP / units.SEQUENCES)
    folders.save(folder, model.state_dict(), config, figures)
    finished(folder)
    return figures


class Waves(nn.Module):
    """The vocoder's sound, as the loop calls it."""

    def __init__(self, trained: TrainableVocoder) -> None:
        super().__init__()
        self.vocoder = trained.requires_grad_(True)
        for part in (trained.dict, trained.dur_predictor):
            part.requires_grad_(False)

    def forward(self, frames: Tensor) -> Tensor:
        """The unit of every frame `(n, frames)` to sound `(n, hop · frames)`."""
        return self.vocoder.wave(frames)


def read(folder: Path) -> tuple[TrainableVocoder, dict[str, Any]]:
    """A trained vocoder and its configuration. Raises `WeightsError`."""
    config = read_json(folder / folders.CONFIG)
    model = TrainableVocoder(VocoderConfig.from_json(Fields(config, str(folder / folders.CONFIG))))
    published = (folder / VOCODER_FILE).is_file()
    fill(model, read_vocoder(folder) if published else SafetensorsFolder(folder), "", CPU, torch.float32)
    return model, config


def drawer(known: Sequence[Example], batch: int) -> Callable[[np.random.Generator], tuple[Tensor, Tensor]]:
    """Draws pieces from anywhere, then ends of replies: units of frames `(n, frames)`, sound `(n, hop · frames)`.

    Raises `CorpusError` if no answer is long enough.
    """
    long_enough = [example for example in known if len(example.frames) >= PIECE]
    if not long_enough:
        raise CorpusError(f"No answer lasts {PIECE} frames of 20 ms. Build a corpus with longer answers.")

    def draw(random: np.random.Generator) -> tuple[Tensor, Tensor]:
        frames, sound = [], []
        for number, place in enumerate(random.integers(len(long_enough), size=batch)):
            example = long_enough[place]
            last = len(example.frames) - PIECE
            at = int(random.integers(last + 1)) if number < batch // 3 else last
            frames.append(example.frames[at : at + PIECE])
            sound.append(example.sound[at * SAMPLES_PER_FRAME : (at + PIECE) * SAMPLES_PER_FRAME])
        return torch.stack(frames), torch.stack(sound)

    return draw


def losses(spectra: Spectra, made: Tensor, wanted: Tensor, ends: int) -> dict[str, Tensor]:
    """Distance of the sound, and how loud it is where it should be silent; the last `ends` pieces end a reply."""
    of_sound, silence = spectra(made, wanted), _silence(made, wanted)
    last = made[len(made) - ends :]
    of_ends = torch.log1p(last[:, -_END:].abs() / QUIET).mean() + _LAST_WEIGHT * last[:, -_LAST:].abs().mean()
    return {"loss": of_sound + silence + of_ends, "spectra": of_sound, "silence": silence, "ends": of_ends}


def _silence(made: Tensor, wanted: Tensor) -> Tensor:
    """Mean of log(1 + level) in windows in which the recording is quiet; 0 if there are none."""
    ours, theirs = (sound.view(len(sound), -1, _WINDOW).square().mean(2).add(1e-10).sqrt() for sound in (made, wanted))
    quiet = theirs < QUIET
    out: Tensor = (torch.log1p(ours / QUIET) * quiet).sum() / quiet.sum().clamp(min=1)
    return out


def validated(model: TrainableVocoder, spectra: Spectra, unheard: Sequence[Example]) -> dict[str, float]:
    """Distance of whole answers never learnt from, and the median of their loudest sample in the last 10 ms."""
    distance, ends = 0.0, []
    for example in unheard:
        made = model.wave(example.frames[None])
        distance += float(spectra(made, example.sound[None]))
        ends.append(float(made[0, -SAMPLES_PER_FRAME // 2 :].abs().max()))
    return {"spectra_unheard": distance / len(unheard), "end_peak": float(np.median(ends))}
