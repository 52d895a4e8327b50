"""A corpus of 20,000 recordings is ready within 5 s and little memory: only what a run draws is decoded.

No absolute time is asserted, since machines differ. What is: the memory, and that loading takes a small part of the
time that decoding everything takes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from support.command import write_clips

RECORDINGS, TURNS = 20_000, 50
LOADED = """
import resource, sys, time
from firstpacket.bench.corpus.load import load_corpus
from firstpacket.bench.run.schedule.orders import drawn
turns = int(sys.argv[2]) or None
began = time.perf_counter()
corpus = load_corpus(sys.argv[1], draw=lambda ids: drawn(ids, turns, 0))
seconds = time.perf_counter() - began
print(len(corpus.utterances), seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def loaded(source: Path, turns: int) -> tuple[int, float, float]:
    """Recordings decoded, seconds, MiB of the process."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, source, str(turns)], check=True, capture_output=True, text=True
    )
    clips, seconds, kib = done.stdout.split()
    return int(clips), float(seconds), int(kib) / 1024


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20,000 links to one short clip, and a manifest."""
    folder = tmp_path_factory.mktemp("large")
    seed = write_clips(folder / "seed", 1) / "clip0.wav"
    (folder / "clips").mkdir()
    with (folder / "manifest.jsonl").open("w") as manifest:
        for number in range(RECORDINGS):
            os.link(seed, folder / "clips" / f"{number:05d}.wav")
            line = {"id": f"{number:05d}", "audio": f"clips/{number:05d}.wav", "text": f"What is number {number}?"}
            manifest.write(json.dumps({**line, "licence": "CC0-1.0", "speaker": f"s{number % 97}"}) + "\n")
    return folder


@pytest.mark.parametrize("form", ["manifest", "folder"])
def test_a_large_corpus_is_loaded_in_seconds_and_little_memory(
    benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str], folder: Path, form: str
) -> None:
    source = folder if form == "manifest" else folder / "clips"
    few = benchmark.pedantic(loaded, (source, TURNS), rounds=1)
    every = loaded(source, 0)
    for clips, seconds, mib in (few, every):
        line = f"{form} of {RECORDINGS}, {clips} decoded: {seconds:.1f} s, {mib:.0f} MiB"
        benchmark.extra_info[str(clips)] = line
        with capsys.disabled():
            sys.stdout.write(f"\n{line}")
    assert (few[0], every[0]) == (TURNS, RECORDINGS)
    assert few[1] < every[1] / 2
    assert few[2] < 200 and every[2] < 300
