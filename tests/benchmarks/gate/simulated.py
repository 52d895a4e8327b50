"""Simulated noise for the gate: what pairs of turns look like, start by start."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
MOST = 200
"""Pairs of a start."""
Within = Callable[[np.random.Generator], Floats]


def gaussian(sd: float) -> Within:
    """Log ratios of pairs that differ by a standard deviation of `sd`."""
    return lambda random: sd * random.standard_normal(MOST)


def heavy(sd: float) -> Within:
    """Student's t with 3 degrees of freedom: some pairs are far off."""
    return lambda random: sd / math.sqrt(3) * random.standard_t(3, MOST)


def bimodal(share: float, slower: float, sd: float = 0.05) -> Within:
    """A share of turns, on either side, takes longer."""

    def pairs(random: np.random.Generator) -> Floats:
        slow = random.random((2, MOST)) < share
        modes: Floats = math.log1p(slower) * (slow[1].astype(float) - slow[0])
        return modes + sd * random.standard_normal(MOST)

    return pairs


def stalls(share: float, times: float, sd: float = 0.05) -> Within:
    """Now and then a turn takes many times as long."""
    return bimodal(share, times, sd)


def related(sd: float, correlation: float) -> Within:
    """Neighbouring pairs resemble each other."""

    def pairs(random: np.random.Generator) -> Floats:
        noise = random.standard_normal(MOST)
        values = np.empty(MOST)
        values[0] = noise[0]
        fresh = math.sqrt(1 - correlation**2)
        for at in range(1, MOST):
            values[at] = correlation * values[at - 1] + fresh * noise[at]
        return sd * values

    return pairs


def drifting(sd: float, step: float) -> Within:
    """The machine's speed is a random walk with `step` from turn to turn; the sides of a pair are in random order."""

    def pairs(random: np.random.Generator) -> Floats:
        steps = step * random.standard_normal(MOST)
        first = random.choice([-1.0, 1.0], MOST)
        return sd * random.standard_normal(MOST) + first * steps

    return pairs


@dataclass(frozen=True, slots=True)
class Machine:
    """Noise within starts, and between them."""

    within: Within
    between: float = 0.01
    correlation: float = 0.0
    """Of neighbouring starts."""
    modes: float = 0.0
    """By how much one process in three is slower for as long as it lives, on either side."""

    def starts(self, slower: float, random: np.random.Generator) -> Callable[[int], Floats]:
        """The pairs of each start, if the candidate is `slower`."""
        luck = self._luck(random)
        known: list[Floats] = []

        def start(number: int) -> Floats:
            while len(known) <= number:
                known.append(math.log1p(slower) + next(luck) + self.within(random))
            return known[number]

        return start

    def _luck(self, random: np.random.Generator) -> Iterator[float]:
        value = random.standard_normal()
        while True:
            modes = math.log1p(self.modes) * (float(random.random() < 1 / 3) - float(random.random() < 1 / 3))
            yield self.between * value + modes
            value = self.correlation * value + math.sqrt(1 - self.correlation**2) * random.standard_normal()


MACHINES = {
    "pairs differ by 2 %, processes by 0": Machine(gaussian(0.02), 0.0),
    "pairs differ by 10 %, processes by 1 %": Machine(gaussian(0.10)),
    "pairs differ by 20 %, processes by 1 %": Machine(gaussian(0.20)),
    "pairs differ by 40 %, processes by 1 %": Machine(gaussian(0.40)),
    "pairs differ by 60 %, processes by 1 %": Machine(gaussian(0.60)),
    "pairs differ by 10 %, processes by 2 %": Machine(gaussian(0.10), 0.02),
    "pairs differ by 10 %, processes by 3 %": Machine(gaussian(0.10), 0.03),
    "pairs differ by 10 %, processes by 5 %": Machine(gaussian(0.10), 0.05),
    "heavy tails (t, 3 degrees), 20 %": Machine(heavy(0.20)),
    "half of the turns take 50 % longer": Machine(bimodal(0.5, 0.5)),
    "one turn in 20 takes 5 times as long": Machine(stalls(0.05, 4.0)),
    "one process in 3 is 5 % slower": Machine(gaussian(0.10), 0.005, modes=0.05),
    "neighbouring pairs alike (0.7), 20 %": Machine(related(0.20, 0.7)),
    "neighbouring starts alike (0.3), 2 %": Machine(gaussian(0.10), 0.02, correlation=0.3),
    "drifting by 5 % from turn to turn": Machine(drifting(0.10, 0.05)),
}
