"""Pairs of turns as a gate compares them, made up; and looks at them."""

from __future__ import annotations

import numpy as np

from firstpacket.bench.compare.pairs import Pairs
from firstpacket.bench.gate.change import Look


def measured(slower: float = 0.0, seed: int = 0, within: float = 0.05, between: float = 0.0, n: int = 20) -> Pairs:
    """The pairs of one start whose processes differ by `between`."""
    random = np.random.default_rng(seed)
    before, after = 100 * np.exp(within * random.standard_normal((2, n)))
    after *= (1 + slower) * np.exp(between * random.standard_normal())
    return Pairs(tuple(before), tuple(after), tuple(f"clip {number % 5}" for number in range(n)))


def starts(count: int, slower: float = 0.0, **more: float) -> list[Pairs]:
    """Several starts, each with its own noise."""
    return [measured(slower, seed, **more) for seed in range(count)]  # type: ignore[arg-type]


def only(count: int) -> Look:
    """The only look there is."""
    return Look((count,), count, final=True)
