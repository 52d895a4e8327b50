"""100,000 turns are compared within 10 s and 1 GiB.

No absolute time is asserted, since machines differ. What is: that time grows with the turns and not with their square,
and the memory.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from support.runs import make_segment, make_turn
from support.virtual import make_utterances, scripted_manifest

from firstpacket.bench.record.schema import LabelFacts, PathPart, Turn
from firstpacket.bench.record.store import RunWriter

TURNS = 100_000
CLIPS = 100
COMPARED = """
import resource, sys
from pathlib import Path
from firstpacket.bench.compare.findings import Question, of_labels
from firstpacket.bench.record.store import read_run
report = of_labels(read_run(Path(sys.argv[1])), Question())
used = resource.getrusage(resource.RUSAGE_SELF)
print(report.findings[0].headline.pairs, used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


def written(folder: Path, turns: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of two labels, written through the store; it is not waited for the disk."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    with RunWriter.create(folder, scripted_manifest({"a": "", "b": ""}, make_utterances(CLIPS))) as writer:
        writer.segment(make_segment(0, tuple(LabelFacts(label, 0, 1, ()) for label in "ab")))
        for number in range(turns):
            writer.turn(made(number, "ab"[number % 2], number // 2 % CLIPS, number // 2 // CLIPS))
    return folder


def made(number: int, label: str, clip: int, block: int) -> Turn:
    """As wide as a cascade's narrow line is."""
    latency = 400_000_000 + number * 7919 % 100_000_007
    figures = dict.fromkeys(
        ("response_latency", "gapless_first_audio", "generation_duration", "turn_duration", "llm_first_token_latency"),
        latency,
    )
    figures |= {f"stage.{stage}.host": latency // 5 for stage in ("asr", "llm.prefill", "llm.decode", "tts")}
    figures |= {"first_packet_latency": latency, "reply_audio": 3_000_000_000, "packets": 12, "llm_ttft": latency // 4}
    path = tuple(PathPart(stage, "host", latency // 4) for stage in ("asr", "llm.prefill", "llm.decode", "tts"))
    figures |= {"rtf_e2e": 0.3}
    return make_turn(turn=number, block=block, label=label, utterance=f"clip-{clip}", figures=figures, path=path)


def compared(folder: Path) -> tuple[int, float, float]:
    """Pairs, processor seconds, MiB."""
    done = subprocess.run([sys.executable, "-c", COMPARED, folder], check=True, capture_output=True, text=True)
    pairs, seconds, kib = done.stdout.split()
    return int(pairs), float(seconds), int(kib) / 1024


def test_many_turns_are_compared_in_seconds_and_little_memory(
    benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = compared(written(tmp_path / "small", TURNS // 4, monkeypatch))
    large = benchmark.pedantic(compared, (written(tmp_path / "large", TURNS, monkeypatch),), rounds=1)
    for pairs, seconds, mib in (small, large):
        line = f"{2 * pairs} turns compared: {seconds:.1f} s of a processor, {mib:.0f} MiB"
        benchmark.extra_info[str(2 * pairs)] = line
        with capsys.disabled():
            sys.stdout.write(f"\n{line}")
    assert large[0] == TURNS // 2
    assert large[1] < 6 * small[1], "four times the turns"
    assert large[2] < 1024
