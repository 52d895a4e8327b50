"""Step speaking, the paper's stage 2: the speech decoder learns which units to say, by CTC; all else stays as it is.

Graves et al. 2006: the loss sums over all ways of laying the answer's units along λ frames per token of the reply.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from firstpacket.bench.errors import CorpusError, WeightsError
from firstpacket.bench.quality.wer import edits
from firstpacket.pipelines.direct.llama_omni.ctc import Collapse
from firstpacket.pipelines.models.llama_config import LlamaConfig
from firstpacket.pipelines.tools.training import folders, units
from firstpacket.pipelines.tools.training.features import alike
from firstpacket.pipelines.tools.training.loop import Schedule, finished, seconds_of, train
from firstpacket.pipelines.tools.training.speaking_model import TrainableSpeechDecoder, read, sizes
from firstpacket.pipelines.tools.training.speaking_states import LISTENING, Reply, Source, replies

STEP = "speaking"
STREAMING_STEP = "streaming-speaking"
"""Where the decoder of the streaming model is written."""
UNPAIRED = "speaking-unpaired"
"""Where the same step's result goes when every reply was given the speech of another one."""
SCHEDULE = Schedule(steps=3000, learning_rate=1e-3, warmup=30, validate_every=500, precision="bf16", weight_decay=0.01)
BEGINNING = Schedule(
    steps=10_000, learning_rate=2e-3, warmup=200, validate_every=1000, precision="bf16", weight_decay=0.01
)
TUNING = Schedule(steps=600, learning_rate=3e-4, warmup=30, validate_every=100, precision="bf16", weight_decay=0.01)
"""Of a decoder that speaks already."""
BEGINNING_FRAMES = 16
"""λ to begin with: half the work, and learnt in fewer steps. No weight's shape depends on it."""
BATCH = 8
"""In the same two minutes, batches of 8 came to a unit error rate of 0.35, of 16 to 0.38 and of 32 to 0.44."""
SIZES = (2, 256, 4, 704)
"""Layers, width, heads and intermediate size."""
FRAMES_PER_TOKEN = 25
"""λ, as published. Ten units a token are usual here, yet 16 frames are too few: see `losses`."""
PER_ANSWER = 6
"""Clips of one answer: their states differ little."""
JUDGED = 64
"""Validation clips whose replies are compared unit by unit."""
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Example:
    """A reply's states `(m, state)` and the units of its speech `(n,)` int64, without repeats."""

    states: Tensor
    units: Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples side by side: states `(b, m, state)`, units `(b, n)`, both padded at their ends, and lengths `(b,)`."""

    states: Tensor
    tokens: Tensor
    units: Tensor
    lengths: Tensor

    @classmethod
    def of(cls, examples: Sequence[Example]) -> Batch:
        """Some examples."""
        return cls(
            nn.utils.rnn.pad_sequence([one.states.float() for one in examples], True),
            torch.tensor([len(one.states) for one in examples]),
            nn.utils.rnn.pad_sequence([one.units for one in examples], True),
            torch.tensor([len(one.units) for one in examples]),
        )


class Speaker(nn.Module):
    """The speech decoder as the loop calls it, with `frames` per token."""

    def __init__(self, decoder: TrainableSpeechDecoder, frames: int) -> None:
        super().__init__()
        self.decoder = decoder
        self.frames = frames

    def forward(self, states: Tensor) -> Tensor:
        """States `(b, m, state)` to CTC logits `(b, λ · m, units + 1)`."""
        return self.decoder.batch(states, self.frames)


@dataclass(frozen=True, slots=True)
class Lessons:
    """Replies to learn from and to judge by, and how they are learnt."""

    examples: list[Example]
    unheard: list[Example]
    batch: int

    def learn(self, folder: Path, speaker: Speaker, later: bool, schedule: Schedule) -> dict[str, float]:
        """Train in `folder`; see `losses` for `later`."""
        draw = alike([len(example.states) for example in self.examples], self.batch)

        def batch_of(random: np.random.Generator) -> Batch:
            return Batch.of([self.examples[place] for place in draw(random)])

        def validate(trained: nn.Module) -> dict[str, float]:
            assert isinstance(trained, Speaker)
            return validated(trained, self.unheard)

        return train(folder, speaker, batch_of, partial(losses, later=later), validate, schedule)


def run(
    data: Path,
    work: Path,
    schedule: Schedule = SCHEDULE,
    layers: tuple[int, int, int, int] = SIZES,
    batch: int = BATCH,
    unpaired: bool = False,
    frames: int = FRAMES_PER_TOKEN,
    beginning: int = BEGINNING.steps,
) -> dict[str, Any]:
    """Train, first with fewer frames for `beginning` steps, and write `work/speaking/` (`work/speaking-unpaired/`).

    `layers` are number, width, heads and intermediate size, as in the published `ctc_decoder_config`; `frames` is λ, or
    less than it, where a reply has more units. Returns the validation figures. Raises `CorpusError` or `WeightsError`.
    """
    torch.manual_seed(schedule.seed)
    spoken, count = units.made(work)
    heard, unheard = _replies(data, work, LISTENING, work / STEP, schedule.seed)
    paired = examples_of(heard, spoken)
    examples = examples_of(heard, shuffled(spoken, schedule.seed)) if unpaired else paired
    lessons = Lessons(examples, examples_of(unheard, spoken), batch)
    config = sizes(_llm(work, LISTENING), layers, count, frames_per_token(paired, frames, later=True))
    decoder = TrainableSpeechDecoder(config)
    folder = work / (UNPAIRED if unpaired else STEP)
    begun = folder / "beginning"
    if not (begun / folders.TENSORS).is_file():
        fewer = min(config.frames_per_token, frames_per_token(paired, BEGINNING_FRAMES))
        plan = replace(BEGINNING, seed=schedule.seed, steps=beginning, precision=schedule.precision)
        found = lessons.learn(begun, Speaker(decoder, fewer), False, plan)
        folders.save(begun, decoder.state_dict(), {"frames": fewer}, found | {"seconds": seconds_of(begun)})
        finished(begun)
    decoder.load_state_dict(folders.tensors(folder, begun.name))
    figures: dict[str, Any] = dict(lessons.learn(folder, Speaker(decoder, config.frames_per_token), True, schedule))
    figures |= {"seed": schedule.seed, "steps": schedule.steps, "seconds": seconds_of(begun) + seconds_of(folder)}
    figures |= {"replies": len(examples), "paired": not unpaired}
    return _written(folder, work, decoder, figures)


def tune(
    data: Path,
    work: Path,
    start: Path,
    schedule: Schedule = TUNING,
    batch: int = BATCH,
    source: Source = LISTENING,
    step: str = STEP,
) -> dict[str, Any]:
    """Train the speech decoder in `start` further, on the states of `source`, and write `work/STEP/`.

    `start` is the folder of a LLaMA-Omni or of the step speaking. Returns the validation figures, and before them those
    it began with. Raises `CorpusError` or `WeightsError`.
    """
    torch.manual_seed(schedule.seed)
    spoken, count = units.made(work)
    folder = work / step
    heard, unheard = (examples_of(some, spoken) for some in _replies(data, work, source, folder, schedule.seed))
    decoder = read(start, _llm(work, source))
    if decoder.config.units != count:
        raise WeightsError(
            f"{start} speaks {decoder.config.units} units, but the step units made {count}. Run it again with --count "
            f"{decoder.config.units}, or start from another speech decoder."
        )
    frames = frames_per_token(heard, decoder.config.frames_per_token, later=True)
    decoder.config = replace(decoder.config, frames_per_token=frames)
    speaker = Speaker(decoder, frames)
    with torch.no_grad():
        began = {f"{name}_at_start": value for name, value in validated(speaker, unheard).items()}
    figures: dict[str, Any] = began | Lessons(heard, unheard, batch).learn(folder, speaker, True, schedule)
    figures |= {"seed": schedule.seed, "steps": schedule.steps, "seconds": seconds_of(folder), "replies": len(heard)}
    return _written(folder, work, decoder, figures)


def _llm(work: Path, source: Source) -> LlamaConfig:
    return LlamaConfig.from_json(folders.config(work, source.step), str(work / source.step))


def _replies(data: Path, work: Path, source: Source, folder: Path, seed: int) -> tuple[list[Reply], list[Reply]]:
    """To learn from, and to judge by."""
    return (
        replies(data, work, "train", PER_ANSWER, seed, source, folder),
        replies(data, work, "validation", 1, seed, source, folder),
    )


def _written(folder: Path, work: Path, decoder: TrainableSpeechDecoder, figures: dict[str, Any]) -> dict[str, Any]:
    figures["units_sha256"] = folders.digest(work / units.STEP / units.SEQUENCES)
    own = decoder.config.layers
    published = {
        "ctc_decoder_config": str((own.layers, own.hidden, own.heads, own.intermediate)),
        "ctc_upsample_factor": decoder.config.frames_per_token,
        "unit_vocab_size": decoder.config.units,
    }
    folders.save(folder, decoder.state_dict(), published, figures)
    finished(folder)
    return figures


def examples_of(heard: Sequence[Reply], spoken: Mapping[str, units.Spoken]) -> list[Example]:
    """Replies with the units of their speech. Raises `CorpusError` for a reply that nobody spoke."""
    lacking = sorted({reply.text for reply in heard} - spoken.keys())
    if lacking:
        raise CorpusError(
            f"{len(lacking)} answers have no units, for example {lacking[0]!r}. Check that answers.jsonl lists them "
            "all, then run again: bench train units"
        )
    return [Example(reply.states, torch.tensor(spoken[reply.text].units)) for reply in heard]


def shuffled(spoken: Mapping[str, units.Spoken], seed: int) -> dict[str, units.Spoken]:
    """Every answer with the speech of another one: what is said no longer has to do with what is thought."""
    texts = sorted(spoken)
    order = np.random.default_rng(seed).permutation(len(texts))
    return {texts[one]: spoken[texts[other]] for one, other in zip(order, np.roll(order, 1), strict=True)}


def frames_per_token(examples: Sequence[Example], least: int, later: bool = False) -> int:
    """λ: `least`, or so many that every reply has a frame for each of its units, `later` if after the first token."""
    return max(least, *(math.ceil(len(one.units) / max(1, len(one.states) - later)) for one in examples))


def losses(model: nn.Module, batch: Batch, later: bool = False) -> dict[str, Tensor]:
    """CTC, per unit; with `later`, all units are said after the first token's frames, which say nothing.

    These frames are all alike, as attention over equal states gives equal states, and can say one unit at most. Left to
    itself the loss spreads their probability over the first word's units, and that word is never heard.
    """
    logits = model(batch.states.to(next(model.parameters()).device)).float()
    frames = logits.shape[1] // batch.states.shape[1]
    first, blank = frames if later else 0, logits.shape[-1] - 1
    loss = functional.ctc_loss(
        logits[:, first:].log_softmax(-1).transpose(0, 1),
        batch.units.to(logits.device),
        batch.tokens * frames - first,
        batch.lengths,
        blank=blank,
        zero_infinity=True,
    )
    if later:
        nothing = torch.full((len(logits),), blank, device=logits.device)
        loss = loss + functional.cross_entropy(logits[:, 0], nothing)
    return {"loss": loss}


def validated(speaker: Speaker, examples: Sequence[Example]) -> dict[str, float]:
    """CTC loss over all frames, per unit, and the unit error rate: edits from the answer's units to what is said."""
    some = examples[:: max(1, len(examples) // JUDGED)]
    decoder, loss, wrong, length = speaker.decoder, 0.0, 0, 0
    for first in range(0, len(some), _AT_ONCE):
        batch = Batch.of(some[first : first + _AT_ONCE])
        loss += float(losses(speaker, batch)["loss"]) * len(batch.states)
        labels = speaker(batch.states.to(next(decoder.parameters()).device)).argmax(-1)
        for row, tokens, example in zip(labels, batch.tokens, some[first:], strict=False):
            said = Collapse(decoder.config.units).push(row[: int(tokens) * speaker.frames].tolist())
            wrong += edits([str(unit) for unit in example.units.tolist()], [str(unit) for unit in said])
            length += len(example.units)
    return {"validation_loss": loss / len(some), "unit_error_rate": wrong / length}
