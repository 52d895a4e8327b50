"""Records real noise for replaying the gate's decision: figures of many fresh processes, triple by triple.

    python tests/benchmarks/gate/record_noise.py WORKLOAD quiet|bursts FILE.csv [TRIPLES]

A triple is three fresh processes of one workload, started in random order and measured turn by turn in random order:
twice the same work (`base` and `same`), and once about 5 % more (`slower`). FILE is appended to; a triple that it holds
is not measured again. With `bursts` another process keeps one core busy in irregular bursts.
"""

from __future__ import annotations

import contextlib
import csv
import fcntl
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TURNS = 50
PRODUCTS = {"short": (200, 210), "first": (0, 23)}
"""Products of the unchanged and of the slower side; one takes about 0.22 ms on the machine of the recordings."""
COLUMNS = "triple side load_ms position pair clip latency_us cpu_us elapsed_us stolen_us others_us waited_us".split()
BURST_S, PAUSE_S = 0.25, 0.35
"""Means of exponential distributions."""


def main() -> None:
    workload, condition, target, *rest = sys.argv[1:]
    file, triples = Path(target), int(rest[0]) if rest else 60
    with tempfile.TemporaryDirectory() as folder:
        registered(Path(folder))
        for triple in range(triples):
            if triple in recorded(file):
                continue
            with alone(), busy(condition == "bursts", triple):
                rows = measure(workload, triple, Path(folder) / f"run-{triple}")
            append(file, rows)
            print(f"{time.strftime('%H:%M:%S')} {workload} {condition} {triple + 1}/{triples}", flush=True)  # noqa: T201


def registered(folder: Path) -> None:
    """Register the workloads as plugins, for this process and its workers."""
    said = folder / "gate_workload-1.0.dist-info"
    said.mkdir()
    (said / "METADATA").write_text("Metadata-Version: 2.1\nName: gate-workload\nVersion: 1.0\n")
    (said / "entry_points.txt").write_text("[firstpacket.pipelines]\nshort = workload:Short\nfirst = workload:First\n")
    for path in (str(HERE), str(folder)):
        sys.path.insert(0, path)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), str(HERE)])


def measure(workload: str, triple: int, folder: Path) -> list[dict[str, object]]:
    from firstpacket.bench.options import Options, PipelineChoice
    from firstpacket.bench.progress import NoProgress
    from firstpacket.bench.record.store import read_run
    from firstpacket.bench.run import session

    class Silent(NoProgress):
        def _say(self, text: str) -> None:
            """Nothing."""

    base, slower = PRODUCTS[workload]
    sides = {"base": base, "same": base, "slower": slower}
    order = random.Random(triple).sample(list(sides), len(sides))
    choices = tuple(PipelineChoice(label, workload, {"products": sides[label]}) for label in order)
    options = Options(pipelines=choices, turns=TURNS, seed=triple, threads=1, keep_audio=False, out=str(folder))
    run = read_run(session.start(options, ("record_noise",), Silent()))
    loads = {facts.label: facts.load_ns for facts in run.segments[0].labels}
    places: dict[tuple[int, str], int] = {}
    rows: list[dict[str, object]] = []
    for turn in sorted(run.measured(), key=lambda each: each.turn):
        evidence = run.evidence(turn)
        host = evidence.telemetry.host if evidence.telemetry else None
        assert host is not None and turn.is_answered, turn.reason
        cpu = next(int(text.text) for text in evidence.trace.texts if text.kind == "cpu")
        key = (turn.block, turn.utterance)
        places[key] = places.get(key, -1) + 1
        rows.append(
            {
                "triple": triple,
                "side": turn.label,
                "load_ms": loads[turn.label] // 1_000_000,
                "position": places[key],
                "pair": (turn.turn - 1) // 3,
                "clip": turn.utterance,
                "latency_us": round(turn.figures["first_packet_latency"] / 1000),
                "cpu_us": round(cpu / 1000),
                "elapsed_us": host.elapsed_ns // 1000,
                "stolen_us": us(host.stolen_ns),
                "others_us": us(host.others_cpu_ns),
                "waited_us": us(host.waited_for_cpu_ns),
            }
        )
    return rows


def us(ns: int | None) -> int | str:
    return "" if ns is None else ns // 1000


def recorded(file: Path) -> set[int]:
    """The triples that are in the file."""
    if not file.exists():
        return set()
    with file.open(newline="") as lines:
        return {int(row["triple"]) for row in csv.DictReader(lines)}


def append(file: Path, rows: list[dict[str, object]]) -> None:
    begins = not file.exists()
    with file.open("a", newline="") as lines:
        writer = csv.DictWriter(lines, COLUMNS)
        if begins:
            writer.writeheader()
        writer.writerows(rows)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Wait for other work on this machine that takes the same lock."""
    path = os.environ.get("RECORD_LOCK")
    if not path:
        yield
        return
    with open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def busy(wanted: bool, seed: int) -> Iterator[None]:
    """Keep one core busy in irregular bursts, if wanted."""
    if not wanted:
        yield
        return
    process = subprocess.Popen([sys.executable, __file__, "--burst", str(seed)])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def burst(seed: int) -> None:
    chance = random.Random(seed)
    while True:
        until = time.monotonic() + chance.expovariate(1 / BURST_S)
        while time.monotonic() < until:
            sum(range(1000))
        time.sleep(chance.expovariate(1 / PAUSE_S))


if __name__ == "__main__":
    if sys.argv[1] == "--burst":
        burst(int(sys.argv[2]))
    else:
        main()
