"""A series of gates in a balanced random order, which can be interrupted anywhere and continued."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import results
from results import Gate, Result


def plan(counts: Mapping[tuple[str, str], int], machine: str, seed: int) -> list[Gate]:
    """Gates by workload and code in an order in which every beginning has about the proportions of the whole.

    The k-th of n gates of a case comes at a random place in the k-th of n equal parts of the series.
    """
    chance = random.Random(seed)
    places = {
        Gate(workload, machine, code, number): (number + chance.random()) / count
        for (workload, code), count in counts.items()
        for number in range(count)
    }
    return sorted(places, key=places.__getitem__)


def run(
    planned: Sequence[Gate],
    file: Path,
    measure: Callable[[Gate], Result],
    minutes: float,
    say: Callable[[str], None],
    alone: Callable[[], AbstractContextManager[None]] = nullcontext,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Measure what `file` does not hold yet, until a gate would not fit into the minutes.

    A gate is expected to take as long as the longest of its workload so far; the first one is simply begun.
    """
    end_s = clock() + 60 * minutes
    for position, gate in enumerate(planned, 1):
        known = results.read(file)
        if gate in {result.gate for result in known}:
            continue
        with alone():
            left = (end_s - clock()) / 60
            expected = max((result.minutes for result in known if result.workload == gate.workload), default=0.0)
            if left <= expected:
                say(f"No time for gate {position} of {len(planned)}; the same command continues the series.")
                return
            result = measure(gate)
        results.append(file, result)
        change = "" if result.estimate is None else f", {100 * (result.estimate - 1):+.1f} %"
        say(
            f"{position}/{len(planned)} {gate.workload} {gate.machine} {gate.code}: "
            f"{result.verdict}{change}, {result.minutes:.1f} min"
        )
