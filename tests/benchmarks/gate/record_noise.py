"""Records real noise for replaying the gate's decision: figures of many fresh processes, triple by triple.

    python tests/benchmarks/gate/record_noise.py WORKLOAD quiet|bursts FILE.csv [TRIPLES]

A triple is three fresh processes of one workload, started in random order and measured turn by turn in random order:
twice the same work (`base` and `same`), and once about 5 % more (`slower`). FILE is appended to; a triple that it holds
is not measured again. With `bursts` another process keeps one core busy in irregular bursts.
"""

from __future__ import annotations

import csv
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from machine import alone, busy
from repository import HERE, registered
from workload import PRODUCTS, SLOWER

TURNS = 50
COLUMNS = (
    *("triple", "side", "load_ms", "position", "pair", "clip"),
    *("latency_us", "cpu_us", "elapsed_us", "stolen_us", "others_us", "waited_us"),
)


def main() -> None:
    workload, condition, target, *rest = sys.argv[1:]
    file, triples = Path(target), int(rest[0]) if rest else 60
    with tempfile.TemporaryDirectory() as folder:
        install(Path(folder))
        for triple in range(triples):
            if triple in recorded(file):
                continue
            with alone(), busy(condition == "bursts", triple):
                rows = measure(workload, triple, Path(folder) / f"run-{triple}")
            append(file, rows)
            print(f"{time.strftime('%H:%M:%S')} {workload} {condition} {triple + 1}/{triples}", flush=True)  # noqa: T201


def install(folder: Path) -> None:
    """Install the workloads, for this process and its workers."""
    path = [str(registered(folder)), str(HERE)]
    sys.path[:0] = path
    os.environ["PYTHONPATH"] = os.pathsep.join(path)


def measure(workload: str, triple: int, folder: Path) -> list[dict[str, object]]:
    from firstpacket.bench.options import Options, PipelineChoice
    from firstpacket.bench.progress import NoProgress
    from firstpacket.bench.record.store import read_run
    from firstpacket.bench.run import session

    class Silent(NoProgress):
        def _say(self, text: str) -> None:
            """Nothing."""

    sides = {"base": PRODUCTS[workload], "same": PRODUCTS[workload], "slower": SLOWER[workload]}
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


if __name__ == "__main__":
    main()
