"""Noise as latencies have it: pairs of factors around 1, one for each side, in the order in which turns were asked.

All synthetic kinds have a coefficient of variation near 10 %. `recorded` repeats what two labels of one pipeline
measured beside each other (A/A), from a random place on.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

SYNTHETIC = ("gaussian", "heavy-tailed", "bimodal", "stalls", "drifting")


def pairs(kind: str, n: int, random: np.random.Generator) -> Floats:
    """Shape `(n, 2)`: baseline and candidate of each pair."""
    if kind == "gaussian":
        return np.clip(1 + 0.1 * random.standard_normal((n, 2)), 0.3, None)
    if kind == "heavy-tailed":  # Student's t with 3 degrees of freedom
        return np.exp(0.1 * random.standard_t(3, (n, 2)) / np.sqrt(3))
    if kind == "bimodal":  # as with two clock rates, or a decoder that sometimes starts again
        return 1 + 0.21 * (random.random((n, 2)) < 0.3) + 0.02 * random.standard_normal((n, 2))
    if kind == "stalls":
        return np.exp(0.03 * random.standard_normal((n, 2))) * np.where(random.random((n, 2)) < 0.005, 2.4, 1)
    if kind == "drifting":  # a random walk that both sides share, since they are interleaved
        walk = np.cumsum(random.standard_normal(n)) * 0.1 / np.sqrt(n) * 1.5
        return np.exp((walk - walk.mean())[:, None] + 0.05 * random.standard_normal((n, 2)))
    raise ValueError(kind)


def recorded(file: Path, n: int, random: np.random.Generator) -> Floats:
    """As `pairs`, from a file of such factors; sides are swapped at random, the place is random."""
    found = np.loadtxt(file, delimiter=",", comments="#")
    at = random.integers(len(found))
    taken = np.take(found, range(at, at + n), axis=0, mode="wrap")
    return taken[:, ::-1] if random.random() < 0.5 else taken
