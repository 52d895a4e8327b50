"""Step units: the answer voice as discrete units, 20 ms apart (paper, section 2.4; there K-means of HuBERT features).

Here K-means of cepstra: one voice that is known from the start needs no self-supervised model. Units made elsewhere
(mHuBERT's, for a model of published size) come in as a file of the same form.

Recordings begin with silence, and a speech decoder that learns it says it: the first packet of every reply would be
silent. So units begin where an answer becomes audible. They are those of the whole recording, and so are the centres:
only the silent frames before them are gone.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.cluster.vq import kmeans2, vq
from scipy.fft import dct
from scipy.signal.windows import hann

from firstpacket.bench.corpus.manifest import read_text
from firstpacket.bench.errors import CorpusError
from firstpacket.bench.metrics.audible_onset import AUDIBLE, audible_onset_ns, reply_levels
from firstpacket.bench.pipeline import SAMPLE_RATE, Samples
from firstpacket.bench.timing.clock import NS_PER_MS
from firstpacket.pipelines.direct.llama_omni.config import N_FFT, SAMPLES_PER_FRAME
from firstpacket.pipelines.direct.llama_omni.features import mel_filters
from firstpacket.pipelines.tools.training import data as corpus
from firstpacket.pipelines.tools.training import folders

STEP = "units"
SEQUENCES = "units.jsonl"
Features = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]
_FRAME_NS = 1000 * SAMPLES_PER_FRAME // SAMPLE_RATE * NS_PER_MS
_ROUNDS = 30
_FLOOR = 1e-6
"""Of a mel band's power: what is below is silence, whatever is in it."""


@dataclass(frozen=True, slots=True)
class UnitSizes:
    """How many units there are, and of what."""

    units: int = 300
    mels: int = 40
    cepstra: int = 20
    loudness: float = 0.5
    """Weight of the first coefficient, which says how loud it is."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """One answer as units without repeats, and how many frames of 20 ms each lasts."""

    text: str
    units: tuple[int, ...]
    durations: tuple[int, ...]
    start: int = 0
    """Frames of the recording before the first unit."""

    @property
    def frames(self) -> Codes:
        """The unit of every frame."""
        return np.repeat(np.array(self.units, np.int64), self.durations)


def features(samples: Samples, sizes: UnitSizes) -> Features:
    """Mel cepstra `(n // 320, cepstra)` of 16 kHz samples `(n,)`: windows of 25 ms around the middle of every frame."""
    frames = len(samples) // SAMPLES_PER_FRAME
    around = (N_FFT - SAMPLES_PER_FRAME) // 2
    padded = np.pad(samples[: frames * SAMPLES_PER_FRAME], around)
    if not frames:
        return np.zeros((0, sizes.cepstra), np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::SAMPLES_PER_FRAME]
    power = np.abs(np.fft.rfft(windows * hann(N_FFT, sym=False), axis=-1)) ** 2
    cepstra = dct(np.log(np.maximum(power @ mel_filters(sizes.mels).T, _FLOOR)), norm="ortho", axis=-1)
    cepstra = cepstra[:, : sizes.cepstra]
    cepstra[:, 0] *= sizes.loudness
    out: Features = cepstra.astype(np.float32)
    return out


def centres(frames: Features, sizes: UnitSizes, seed: int) -> Features:
    """K-means (Lloyd 1982, begun as k-means++, Arthur and Vassilvitskii 2007): centres `(units, cepstra)`.

    Raises `CorpusError` when there are fewer different frames than units.
    """
    different = len(np.unique(frames, axis=0))
    if different < sizes.units:
        raise CorpusError(
            f"The answers have {different} different frames of 20 ms, too few for {sizes.units} units. Use fewer "
            "units, or build a corpus with more answers."
        )
    found, _ = kmeans2(frames, sizes.units, _ROUNDS, minit="++", rng=np.random.default_rng(seed))
    return np.asarray(found, np.float32)


def coded(frames: Features, of: Features) -> Codes:
    """The nearest centre of every frame, `(n,)`."""
    return np.asarray(vq(frames, of)[0], np.int64)


def without_repeats(codes: Iterable[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Units and how long each lasts."""
    runs = [(unit, len(list(group))) for unit, group in itertools.groupby(map(int, codes))]
    return tuple(unit for unit, _ in runs), tuple(length for _, length in runs)


def silent_frames(samples: Samples) -> int:
    """Whole frames before 16 kHz samples `(n,)` become audible; 0 if they never do."""
    onset_ns = audible_onset_ns(reply_levels([(samples, SAMPLE_RATE)]), AUDIBLE)
    return 0 if onset_ns is None else onset_ns // _FRAME_NS


def run(
    data: Path, work: Path, seed: int = 1, sizes: UnitSizes = UnitSizes(), untrimmed: bool = False
) -> dict[str, Any]:
    """Find the units of all answers and write `work/units/`. Returns figures. Raises `CorpusError`.

    They begin with the frame in which the answer becomes audible, or, `untrimmed`, with the recording.
    """
    sounds = {text: corpus.sound(path) for text, path in corpus.answers(data).items()}
    heard = {text: features(sound, sizes) for text, sound in sounds.items()}
    found = centres(np.concatenate(list(heard.values())), sizes, seed)
    starts = {text: 0 if untrimmed else silent_frames(sound) for text, sound in sounds.items()}
    audible = {text: frames[starts[text] :] for text, frames in heard.items()}
    spoken = [
        Spoken(text, *without_repeats(coded(frames, found)), start=starts[text]) for text, frames in audible.items()
    ]
    figures = figures_of(spoken, np.concatenate(list(audible.values())), found)
    figures |= {"silent_frames": sum(starts.values()), "seed": seed}
    return _written(work / STEP, found, asdict(sizes), spoken, figures)


def figures_of(spoken: list[Spoken], every: Features, found: Features) -> dict[str, Any]:
    """How many units and frames there are, and how far centres are from what they stand for."""
    codes = np.concatenate([one.frames for one in spoken])
    units = sum(len(one.units) for one in spoken)
    spread = float(((every - every.mean(0)) ** 2).sum(1).mean())
    return {
        "answers": len(spoken),
        "frames": len(codes),
        "frames_per_unit": len(codes) / max(1, units),
        "units_used": len(np.unique(codes)),
        "unexplained": float(((every - found[codes]) ** 2).sum(1).mean()) / spread,
    }


def given(data: Path, work: Path, sequences: Path, units: int) -> dict[str, Any]:
    """Take units that were made elsewhere. Raises `CorpusError` when answers lack theirs or a unit is out of range."""
    spoken = read(sequences)
    lacking = sorted(corpus.answers(data).keys() - spoken.keys())
    if lacking:
        raise CorpusError(f"{sequences} has no units for {len(lacking)} answers, for example {lacking[0]!r}.")
    highest = max(max(one.units) for one in spoken.values())
    if highest >= units:
        raise CorpusError(f"{sequences} names unit {highest}, but there are {units}, from 0 on.")
    config = {"units": units, "from": folders.digest(sequences)}
    figures = {"answers": len(spoken), "frames": sum(sum(one.durations) for one in spoken.values())}
    return _written(work / STEP, None, config, list(spoken.values()), figures)


def read(path: Path) -> dict[str, Spoken]:
    """Sequences of units by the answer's text. Raises `CorpusError` naming the line at fault."""
    found = {}
    for number, text in enumerate(read_text(path).splitlines(), start=1):
        try:
            line = json.loads(text)
            codes, durations = (tuple(map(int, line[field])) for field in ("units", "durations"))
            one = Spoken(str(line["text"]), codes, durations, int(line.get("start", 0)))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise CorpusError(f"{path}:{number} is not an object with text, units and durations ({error}).") from error
        if not one.units or len(one.units) != len(one.durations) or min(one.units) < 0 or min(one.durations) < 1:
            raise CorpusError(
                f"{path}:{number}: units must be 0 or more, with one duration each of at least one frame of 20 ms."
            )
        if one.start < 0:
            raise CorpusError(f"{path}:{number}: start is {one.start}, but it counts frames from the beginning.")
        found[one.text] = one
    return found


def made(work: Path) -> tuple[dict[str, Spoken], int]:
    """What this step left: the answers' units, and how many units there are. Raises `WeightsError` or `CorpusError`."""
    config = folders.config(work, STEP)
    return read(work / STEP / SEQUENCES), int(config["units"])


def _written(
    folder: Path, found: Features | None, config: Mapping[str, Any], spoken: list[Spoken], figures: dict[str, Any]
) -> dict[str, Any]:
    import torch

    centres_of = {} if found is None else {"centres": torch.from_numpy(found)}
    folder.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(_line(one)) for one in spoken)
    (folder / SEQUENCES).write_text("".join(f"{line}\n" for line in lines), "utf-8")
    folders.save(folder, centres_of, dict(config), figures)
    return figures


def _line(one: Spoken) -> dict[str, Any]:
    line = {"text": one.text, "units": one.units, "durations": one.durations}
    return line | ({"start": one.start} if one.start else {})
