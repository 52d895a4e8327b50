"""How often change points are wrong, and how soon they are right: the tables of docs/evidence.md."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from support.series import NOISES, Floats, levels, make_series

from firstpacket.bench.history.changes import changes

pytest.importorskip("ruptures")

LENGTHS = {8: 500, 16: 500, 40: 200}
"""Runs of a series, and how many series."""
STEPS = (2, 3, 5, 10)
"""In units of the noise from run to run."""
BEFORE, AFTER, SERIES = 20, 20, 100


def found(values: Floats) -> list[int]:
    return [int(change.point.run) for change in changes(make_series(values))]


def false_alarms() -> dict[str, list[float]]:
    random = np.random.default_rng(7)
    return {
        name: [
            float(np.mean([bool(found(levels(noise(n, random)))) for _ in range(many)])) for n, many in LENGTHS.items()
        ]
        for name, noise in NOISES.items()
    }


def runs_needed(step: float) -> int | None:
    """Runs after the step until at least 90 % of the series show a change within two runs of it."""
    random = np.random.default_rng(7)
    made = [
        levels(random.standard_normal(BEFORE + AFTER) + step * (np.arange(BEFORE + AFTER) >= BEFORE))
        for _ in range(SERIES)
    ]
    for after in range(1, AFTER + 1):
        shown = [any(abs(at - BEFORE) <= 2 for at in found(values[: BEFORE + after])) for values in made]
        if np.mean(shown) >= 0.9:
            return after
    return None


def test_change_points_are_seldom_wrong_and_soon_right(benchmark: Any) -> None:
    alarms, needed = benchmark.pedantic(lambda: (false_alarms(), {step: runs_needed(step) for step in STEPS}), rounds=1)
    lines = ["", "| noise from run to run | " + " | ".join(f"{n} runs" for n in LENGTHS) + " |"]
    lines += [f"| {name} | " + " | ".join(f"{100 * x:.1f} %" for x in shares) + " |" for name, shares in alarms.items()]
    lines += ["", "| step, in units of the noise | " + " | ".join(map(str, needed)) + " |"]
    lines += ["| runs after it | " + " | ".join(map(str, needed.values())) + " |", ""]
    sys.stdout.write("\n".join(lines))
    assert max(alarms["normal"]) <= 0.015
    assert needed[10] == 2
