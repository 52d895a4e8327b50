"""Many utterances to clips, in several processes."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from firstpacket.bench.corpus.audio import to_corpus_rate
from firstpacket.bench.errors import BenchError, CorpusError
from firstpacket.bench.pipeline import Samples
from firstpacket.pipelines.tools.corpora.plan import Take
from firstpacket.pipelines.tools.corpora.postprocess import finish, gain, write_flac
from firstpacket.pipelines.tools.corpora.recipe import Finish
from firstpacket.pipelines.tools.corpora.speakers import speaker

_CHUNK = 200
"""Takes per process. What espeak-ng said before changes the next text by some samples, so that the number must not
depend on the machine."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A clip on disk: SHA-256 of the file, and the samples at 16 kHz between which speech lies."""

    id: str
    sha256: str
    start: int
    end: int


def speak_all(takes: Sequence[Take], folder: Path, progress: Callable[[int, int], None]) -> dict[str, Spoken]:
    """Write `folder/ID.flac` for each take; `progress` hears how many of all are done. Raises `CorpusError`."""
    folder.mkdir(parents=True, exist_ok=True)
    # Neighbouring takes share a voice, which is then loaded once.
    ordered = sorted(takes, key=lambda take: (take.engine, str(sorted(take.options.items())), take.id))
    chunks = [ordered[place : place + _CHUNK] for place in range(0, len(ordered), _CHUNK)]
    spoken: dict[str, Spoken] = {}
    with ThreadPoolExecutor(_cores()) as threads:
        for done in threads.map(partial(_in_a_fresh_process, folder=folder), chunks):
            spoken |= {one.id: one for one in done}
            progress(len(spoken), len(takes))
    return spoken


def _in_a_fresh_process(takes: Sequence[Take], folder: Path) -> list[Spoken]:
    """A library must not remember what it said for another chunk. (Pools that renew their processes may hang: CPython's
    issue 115634.)"""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        return fresh.submit(_speak_chunk, takes, folder).result()


def _speak_chunk(takes: Sequence[Take], folder: Path) -> list[Spoken]:
    try:
        return list(_spoken(takes, folder))
    except BenchError as error:  # exceptions of several arguments do not travel between processes
        raise CorpusError(str(error)) from error


def _spoken(takes: Sequence[Take], folder: Path) -> Iterator[Spoken]:
    for (engine, options), alike in groupby(takes, key=lambda take: (take.engine, take.options)):
        with speaker(engine, options) as say:
            for take in alike:
                yield _write(take, *say(take.text), folder)


def _write(take: Take, speech: Samples, rate: int, folder: Path) -> Spoken:
    heard = to_corpus_rate(speech, round(rate * take.resample))
    clip, start, end = finish(heard, _finish(take, heard), take.id)
    path = folder / f"{take.id}.flac"
    write_flac(path, clip)
    return Spoken(take.id, hashlib.sha256(path.read_bytes()).hexdigest(), start, end)


def _finish(take: Take, speech: Samples) -> Finish:
    """The noise's level follows the speech's power, once its peak is where the take wants it."""
    level = np.abs(speech)
    peak = float(level.max(initial=0.0))
    loud = level[level > peak * gain(take.speech_above_db)]
    crest_db = 20 * math.log10(peak / math.sqrt(float(np.mean(loud**2)))) if peak else 0.0
    noise_dbfs = take.peak_dbfs - crest_db - take.snr_db
    return Finish(take.peak_dbfs, take.lead_ms, take.tail_ms, noise_dbfs, take.speech_above_db, take.seed)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
