"""A whole run while its server is paused, killed and started again: no turn is lost, and none hangs."""

from __future__ import annotations

import os
import random
import signal
import socket
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("websockets")

from support.command import bench, write_clips
from support.realtime_process import server_process

from firstpacket.bench.record.store import read_run
from firstpacket.pipelines.remote.realtime.plugin import Realtime

TURNS = 120


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def misbehaving(port: int, over: threading.Event, done: Counter[str]) -> None:
    """A server that is well most of the time."""
    chance = random.Random(5)
    while not over.is_set():
        with server_process(think_ms=(5, 40), port=port) as server:
            while not over.wait(chance.uniform(0.2, 1.5)):
                what = chance.choice(("paused", "paused for long", "killed"))
                done[what] += 1
                if what == "killed":
                    break
                os.kill(server.process.pid, signal.SIGSTOP)
                over.wait(0.3 if what == "paused" else 3)
                os.kill(server.process.pid, signal.SIGCONT)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("conversation", ["turn", "run"])
def test_a_server_that_comes_and_goes(conversation: str, tmp_path: Path) -> None:
    """Takes long (1 min): every pause is longer than the deadline, or ends within it."""
    port, over, done = free_port(), threading.Event(), Counter[str]()
    chaos = threading.Thread(target=misbehaving, args=(port, over, done))
    chaos.start()
    time.sleep(2)
    options = f"url=ws://127.0.0.1:{port},endpoint-silence=40,timeout=1,conversation={conversation}"
    try:
        for attempt in range(5):
            out = tmp_path / f"run-{attempt}"
            ran = bench(
                *("run", "-p", f"{Realtime.declaration.name},{options}", "--input", "realtime", "--deadline", "1.5"),
                *("--corpus", write_clips(tmp_path / "clips", 4), "--turns", TURNS, "--warmup", "1", "--out", out),
                timeout_s=800,
            )
            if "Check that the server is running" not in ran.stderr:
                break  # else it was away while the pipeline was loaded
    finally:
        over.set()
        chaos.join()
    run = read_run(out)
    measured = [turn for turn in run.turns if turn.phase == "measured"]
    outcomes = Counter(turn.outcome for turn in measured)
    assert len(measured) == TURNS, ran.stderr
    assert set(outcomes) <= {"answered", "failed", "timeout"}, outcomes
    assert outcomes["answered"] > TURNS / 3 and outcomes["failed"] and outcomes["timeout"], outcomes
    for turn in measured:
        assert turn.outcome == "answered" or (turn.reason and turn.reason.isprintable()), turn
    assert len([turn for turn in run.turns if turn.phase == "cold"]) == 1, "no process had to be killed"
    assert "Traceback" not in "".join(log.read_text("utf-8") for log in out.glob("*.log"))
    assert {"paused", "paused for long", "killed"} <= done.keys()
