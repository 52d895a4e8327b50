"""Recorded noise for replaying the gate's decision: triples of processes, as arrays, drawn with replacement in blocks.

    python tests/benchmarks/gate/recordings.py SOURCE.csv TARGET.csv.gz

SOURCE is written by record_noise.py, a line per turn. TARGET has a line per column instead, which takes a fifth of the
space: its name, then an integer for every turn, ordered by triple, side and pair; times in microseconds.
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

SIDES = ("base", "same", "slower")
FIGURES = ("position", "latency_us", "cpu_us", "elapsed_us", "stolen_us", "others_us", "waited_us")
"""Of a turn: its place among the three of its pair; latency and CPU time from the end of speech to the first packet;
and, between two readings of the counters around it, time that passed, was stolen by the hypervisor, was used by other
processes, and was waited for a core."""
_FROM = {"cpu_us": "latency_us", "elapsed_us": "latency_us"}
"""These are stored as differences from others, which are smaller numbers."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Triples of processes in the order in which they were measured; NaN is what the system did not report."""

    figures: Mapping[str, Floats]
    """By name; each of shape `(triples, sides, pairs)`."""
    load_ms: Floats
    """How long the processes took to load; shape `(triples, sides)`."""
    clips: npt.NDArray[np.str_]
    """Shape `(triples, pairs)`."""

    def log_ratios(self, side: str, figure: str = "latency_us") -> Floats:
        """Logarithms of side over base, turn by turn; shape `(triples, pairs)`: a row per pair of processes."""
        values = self.figures[figure]
        return np.log(values[:, SIDES.index(side)] / values[:, 0])

    def both(self, side: str, figure: str) -> Floats:
        """A figure of the base's and of the side's turns; shape `(triples, pairs, 2)`."""
        return np.stack([self.figures[figure][:, 0], self.figures[figure][:, SIDES.index(side)]], axis=-1)


def resampled(triples: int, wanted: int, block: int, random: np.random.Generator) -> Numbers:
    """Which of the recorded triples come one after the other in a replay; shape `(wanted,)`.

    Neighbours in time resemble each other, so blocks of consecutive triples are drawn with replacement. They go on at
    the beginning when they reach the end, so that every triple is drawn equally often (the circular block bootstrap;
    Politis and Romano 1992, in LePage and Billard, Exploring the Limits of Bootstrap). Raises `ValueError` unless a
    block has between one triple and all of them.
    """
    if not 1 <= block <= triples:
        raise ValueError(f"A block of {block} triples cannot be drawn from {triples}.")
    starts = random.integers(triples, size=-(-wanted // block))
    return ((starts[:, None] + np.arange(block)) % triples).ravel()[:wanted]


def read(file: Path) -> Recording:
    """What `write` wrote."""
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        columns = {name: values for name, *values in csv.reader(lines)}
    shape = -1, len(SIDES), int(columns.pop("pairs")[0])
    clips = np.array(columns.pop("clip")).reshape(shape[0], shape[2])
    load_ms = _numbers(columns.pop("load_ms")).reshape(shape[:2])
    figures = {name: _numbers(values).reshape(shape) for name, values in columns.items()}
    for name, other in _FROM.items():
        figures[name] += figures[other]
    return Recording(figures, load_ms, clips)


def write(recording: Recording, file: Path) -> None:
    """Write a recording; the same one is always the same bytes."""
    figures = dict(recording.figures)
    for name, other in _FROM.items():
        figures[name] = recording.figures[name] - recording.figures[other]
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["pairs", recording.clips.shape[1]])
    lines.writerow(["clip", *recording.clips.ravel()])
    for name, values in {"load_ms": recording.load_ms, **figures}.items():
        lines.writerow([name, *("" if np.isnan(value) else int(value) for value in values.ravel())])
    file.write_bytes(gzip.compress(text.getvalue().encode(), 9, mtime=0))


def from_turns(rows: Iterable[Mapping[str, str]]) -> Recording:
    """The recording from a line per turn, without triples that were not measured to their end."""
    triples: dict[int, dict[tuple[str, int], Mapping[str, str]]] = defaultdict(dict)
    for row in rows:
        triples[int(row["triple"])][row["side"], int(row["pair"])] = row
    pairs = max(pair for turns in triples.values() for _, pair in turns) + 1
    whole = [triples[number] for number in sorted(triples) if len(triples[number]) == len(SIDES) * pairs]
    turns = [[[triple[side, pair] for pair in range(pairs)] for side in SIDES] for triple in whole]
    return Recording(
        {name: _figure(turns, name) for name in FIGURES},
        _figure(turns, "load_ms")[:, :, 0],
        np.array([[turn["clip"] for turn in triple[0]] for triple in turns]),
    )


def _figure(turns: list[list[list[Mapping[str, str]]]], name: str) -> Floats:
    return np.array([[_numbers(turn[name] for turn in side) for side in triple] for triple in turns])


def _numbers(texts: Iterable[str]) -> Floats:
    return np.array([float(text or "nan") for text in texts])


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    with source.open(newline="") as recorded:
        write(from_turns(csv.DictReader(recorded)), target)
