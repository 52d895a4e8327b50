"""How often the gate is wrong, and how long it takes: on recorded noise, and on simulated.

`make bench` prints the tables of docs/gate.md. FIRSTPACKET_REPETITIONS sets how many gates are replayed of each kind
(default 100; the tables have 2,000 on recorded noise and 300 on simulated).
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from recordings import read, resampled
from replay import Costs, Ended, replay
from simulated import MACHINES

from firstpacket.bench.stats.binomial import share

REPETITIONS = int(os.environ.get("FIRSTPACKET_REPETITIONS", "100"))
DATA = Path(__file__).parent / "data"
BLOCK = 5
"""Consecutive starts that are drawn together, since neighbours in time may resemble each other."""
SHORT = Costs(1.2, 0.10)
COSTS = {"short": SHORT, "first": Costs(4.7, 0.22)}
"""Medians over 60 and 57 starts of whole gates on the machine of the recordings."""
RECORDED = {
    f"{workload} {condition}": file
    for workload in COSTS
    for condition in ("quiet", "bursts")
    if (file := DATA / f"{workload}-{condition}.csv.gz").exists()
}
Gates = Callable[[float], Ended]


def report(name: str, unchanged: Sequence[Ended], slower: Sequence[Ended]) -> dict[str, float]:
    """Print a row: rates in per cent with exact 95 % intervals, and minutes to the verdict."""
    asked = {
        "false alarms": (unchanged, ("regressed",)),
        "found": (slower, ("regressed",)),
        "missed": (slower, ("same", "improved")),
        "undecided, unchanged": (unchanged, ("inconclusive",)),
        "undecided, slower": (slower, ("inconclusive",)),
    }
    rates = {what: share([each.verdict in verdicts for each in ended]) for what, (ended, verdicts) in asked.items()}
    cells = [
        f"{100 * each.value:.1f} ({100 * each.interval.low:.1f} to {100 * each.interval.high:.1f})"
        for each in rates.values()
    ]
    minutes = [_minutes(ended) for ended in (unchanged, slower)]
    sys.stdout.write(f"\n| {' | '.join([name, *cells, *minutes])} |")
    return {what: each.value for what, each in rates.items()}


def _minutes(ended: Sequence[Ended]) -> str:
    taken = sorted(each.minutes for each in ended)
    return f"{statistics.median(taken):.1f} (90 %: {taken[int(0.9 * len(taken))]:.1f})"


@pytest.mark.parametrize("name", RECORDED)
def test_on_recorded_noise(name: str, benchmark: BenchmarkFixture) -> None:
    recording, costs, found = read(RECORDED[name]), COSTS[name.split()[0]], {}

    def repeat() -> None:
        for side in ("same", "slower"):
            logs, random = recording.log_ratios(side), np.random.default_rng(7)
            found[side] = []
            for _ in range(REPETITIONS):
                order = resampled(len(logs), 200, BLOCK, random)
                found[side].append(replay(lambda number, logs=logs, order=order: logs[order[number]], costs))

    benchmark.pedantic(repeat, rounds=1)
    rates = report(name, found["same"], found["slower"])
    benchmark.extra_info.update(rates)
    assert rates["false alarms"] <= 0.01
    if name.startswith("short"):
        assert rates["found"] >= 0.95
        assert max(rates["undecided, unchanged"], rates["undecided, slower"]) <= 0.1


@pytest.mark.parametrize("name", MACHINES)
def test_on_simulated_noise(name: str, benchmark: BenchmarkFixture) -> None:
    found: dict[float, list[Ended]] = {}

    def repeat() -> None:
        for slower in (0.0, 0.05):
            random = np.random.default_rng(7)
            machine = MACHINES[name]
            found[slower] = [replay(machine.starts(slower, random), SHORT) for _ in range(REPETITIONS)]

    benchmark.pedantic(repeat, rounds=1)
    rates = report(name, found[0.0], found[0.05])
    benchmark.extra_info.update(rates)
    assert rates["false alarms"] <= max(0.01, 3 / REPETITIONS)
