"""kill -9 of the manager, of a worker, of both, at seeded random moments: at most the turn in flight is lost.

`make test` kills ten times, `make soak` two hundred. What remains is held against a run that nobody disturbed: it must
equal it in everything but times and segments. A turn whose worker was killed is on record as failed, and nothing else.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from support.command import ROOT, here, write_clips

from firstpacket.bench.record.schema import Turn
from firstpacket.bench.record.store import Run, read_run

SCRIPTS = (
    "a=scripted,script=hear; asr 3; send; llm.decode 4; send | take; tts 2; packet 20; take; tts 2; packet 60",
    "b=scripted,script=hear; encoder 3; llm.prefill 2 token; vocoder 3; silence 20; vocoder 2; packet 80",
)
VICTIMS = ("manager", "worker", "both")
KILLS_OF_A_RUN = 5
RUNS_OF_THE_SOAK = 40
ASKED_OF_LABEL = 50


def started(out: Path, clips: Path, turns: int) -> subprocess.Popen[bytes]:
    """Starts the run, or resumes it if it has begun already."""
    resumed = (out / "manifest.json").exists()
    arguments = ["--resume", str(out)] if resumed else first_arguments(out, clips, turns)
    with said(out).open("ab") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "firstpacket", "run", "--no-report", *arguments],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )


def first_arguments(out: Path, clips: Path, turns: int) -> list[str]:
    """The command line that begins the run."""
    pipelines = [word for script in SCRIPTS for word in ("-p", script)]
    return [*pipelines, "--corpus", str(clips), "--turns", str(turns), "--warmup", "1", "--out", str(out)]


def said(out: Path) -> Path:
    """What all starts of the manager printed."""
    return out.with_suffix(".stderr")


def workers(manager: int) -> list[psutil.Process]:
    try:
        return psutil.Process(manager).children()
    except psutil.NoSuchProcess:
        return []


def wait_for_work(process: subprocess.Popen[bytes], out: Path) -> None:
    """Until this start has committed a turn, or has ended."""
    turns = out / "turns.jsonl"
    before = turns.stat().st_size if turns.exists() else 0
    while process.poll() is None and not (turns.exists() and turns.stat().st_size > before):
        time.sleep(0.005)


def committed(out: Path) -> int:
    return len(asked(read_run(out))) if (out / "manifest.json").exists() else 0


def strike(process: subprocess.Popen[bytes], victim: str, chance: random.Random) -> bool:
    """Kill; whether there was someone to kill. The manager goes first: it is to see nothing of its workers' end."""
    found = workers(process.pid)
    if process.poll() is not None or (victim != "manager" and not found):
        return False
    if victim != "worker":
        process.kill()
    if victim != "manager":
        for worker in found if victim == "both" else [chance.choice(found)]:
            try:
                worker.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue  # it went with its manager
    return True


def disturb(out: Path, clips: Path, kills: int, turns: int, seed: int) -> Counter[str]:
    """A run that is killed `kills` times and resumed each time; returns how often each process was killed."""
    chance = random.Random(seed)
    killed: Counter[str] = Counter()
    process = started(out, clips, turns)
    while killed.total() < kills:
        assert committed(out) < turns * len(SCRIPTS), "the run was over before it had been killed often enough"
        victim = chance.choice(VICTIMS)
        # One time in five while it starts: before the manifest, between files, while workers load.
        if chance.random() < 0.8:
            wait_for_work(process, out)
        time.sleep(chance.uniform(0, 0.2))
        if strike(process, victim, chance):
            killed[victim] += 1
            if victim != "worker":
                process.wait(30)
        if process.poll() is not None:
            if out.exists() and not (out / "manifest.json").exists():
                _forget(out)
            process = started(out, clips, turns)
    assert process.wait(60 + turns) in (0, 3, -signal.SIGKILL), said(out).read_text()[-3000:]
    assert started(out, clips, turns).wait(60 + turns) == 0
    assert "Traceback" not in said(out).read_text()
    return killed


def _forget(out: Path) -> None:
    """A folder without a manifest holds nothing: its run had not begun."""
    left = {file.name: file.stat().st_size for file in out.iterdir()}
    assert not any(left.values()), f"a run without a manifest holds {left}"
    for file in out.iterdir():
        file.unlink()
    out.rmdir()


def asked(run: Run) -> list[Turn]:
    return sorted((turn for turn in run.turns if turn.phase == "measured"), key=lambda turn: turn.turn)


def but_for_times(run: Run, turn: Turn) -> object:
    """Everything of a turn that does not depend on when it happened."""
    evidence = run.evidence(turn)
    return (
        (turn.turn, turn.block, turn.phase, turn.label, turn.utterance, turn.outcome, turn.reason),
        sorted(turn.figures),
        [(packet.samples, packet.sample_rate, packet.after is None) for packet in evidence.trace.packets],
        evidence.reply_levels,
        sorted(span.stage for span in evidence.trace.spans),
        [text.kind for text in evidence.trace.texts],
        (run.path / evidence.audio).read_bytes(),
    )


def lost_workers(turns: Sequence[Turn]) -> list[Turn]:
    return [turn for turn in turns if turn.outcome == "failed" or "truncated" in turn.flags]


def hold_against(disturbed: Run, plain: Run, worker_kills: int) -> None:
    turns, whole = asked(disturbed), asked(plain)
    assert not disturbed.notices, "torn lines have been set aside"
    assert [turn.turn for turn in turns] == [turn.turn for turn in whole], "no turn is lost, none stands twice"
    lost = lost_workers(turns)
    assert len(lost) <= worker_kills
    for turn, other in zip(turns, whole, strict=True):
        if turn in lost:
            assert "the worker ended during the turn" in turn.reason
            assert (turn.block, turn.label, turn.utterance) == (other.block, other.label, other.utterance)
        else:
            assert but_for_times(disturbed, turn) == but_for_times(plain, other)
    for turn in disturbed.turns:
        disturbed.evidence(turn)
    assert [segment.segment for segment in disturbed.segments] == list(range(len(disturbed.segments)))
    mine, theirs = disturbed.manifest, plain.manifest
    assert (mine.labels, mine.utterances, mine.corpus_sha256) == (
        theirs.labels,
        theirs.utterances,
        theirs.corpus_sha256,
    )


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clips(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, clips: Path) -> Run:
    out = tmp_path_factory.mktemp("plain") / "run"
    done = here("run", "--no-report", *first_arguments(out, clips, ASKED_OF_LABEL))
    assert done.returncode == 0, done.stderr
    return read_run(out)


@pytest.mark.timeout(400)
def test_ten_kills_lose_no_turn(tmp_path: Path, clips: Path, plain: Run) -> None:
    """Takes over 10 s, since after each kill a manager and its workers start as they would for a user."""
    outs = [tmp_path / "first", tmp_path / "second"]
    with ThreadPoolExecutor() as pool:
        killed = list(
            pool.map(lambda out, seed: disturb(out, clips, KILLS_OF_A_RUN, ASKED_OF_LABEL, seed), outs, (3, 4))
        )
    assert sum(killed, Counter()).keys() == set(VICTIMS)
    assert sum(counts.total() for counts in killed) == 10
    for out, counts in zip(outs, killed, strict=True):
        hold_against(read_run(out), plain, counts["worker"])


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 100 + RUNS_OF_THE_SOAK))
def test_two_hundred_kills_lose_no_turn(tmp_path: Path, clips: Path, plain: Run, seed: int) -> None:
    killed = disturb(tmp_path / "run", clips, KILLS_OF_A_RUN, ASKED_OF_LABEL, seed)
    assert killed.total() == KILLS_OF_A_RUN
    hold_against(read_run(tmp_path / "run"), plain, killed["worker"])
