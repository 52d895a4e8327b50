"""The gate itself on recorded noise: it asks for starts and pairs, and gets recorded ones instead of measured ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from support.runs import make_run, make_segment, make_turn
from support.virtual import NoProgress

from firstpacket.bench.compare.pairs import Pairs
from firstpacket.bench.gate.change import Look, change
from firstpacket.bench.gate.decision import Change, Verdict
from firstpacket.bench.gate.limits import Limits
from firstpacket.bench.gate.plan import Plan
from firstpacket.bench.gate.run import Gate
from firstpacket.bench.gate.state import SCHEMA, Reference, State
from firstpacket.bench.metrics.definitions import HEADLINE, Metric
from firstpacket.bench.record.store import Run
from firstpacket.bench.run.replicates import Cost

Floats = npt.NDArray[np.float64]
LABEL = "a"


@dataclass(frozen=True, slots=True)
class Costs:
    """What the machine of the recordings takes."""

    starting_s: float
    """To start both processes, warm them up, and end them."""
    pair_s: float


@dataclass(frozen=True, slots=True)
class Ended:
    """A gate that was replayed."""

    verdict: Verdict
    minutes: float
    starts: int


Draw = Callable[[int], Floats]
"""From the number of the start to the log ratios of its pairs; shape `(pairs,)`."""


@dataclass(slots=True)
class Replayed:
    """In the place of processes, and of the source of the baseline."""

    draw: Draw
    costs: Costs
    base_ms: float = 100.0
    starts: list[Pairs] = field(default_factory=list)
    name: str = "recorded"
    source: object = "recorded"
    single_look: bool = False
    notices: tuple[str, ...] = ()

    def start(self, pairs: int, seconds: float) -> Cost:
        """The next start, with as many pairs as were recorded and fit into the time."""
        logs = self.draw(len(self.starts))
        logs = logs[: max(1, min(pairs, len(logs), int(seconds / self.costs.pair_s)))]
        base = (self.base_ms,) * len(logs)
        self.starts.append(Pairs(base, tuple(self.base_ms * np.exp(logs)), ("clip",) * len(logs)))
        return Cost(self.costs.starting_s, self.costs.pair_s * len(logs), len(logs))

    def run(self) -> Run:
        """A run with one turn per start: what is asked of it is only how many starts there are."""
        numbers = range(len(self.starts))
        turns = tuple(replace(TURN, segment=number) for number in numbers)
        return replace(RUN, turns=turns, segments=tuple(make_segment(number) for number in numbers))

    def refusal(self, run: Run, label: str) -> None:
        """They can be compared."""

    def pairs(self, run: Run, label: str, known: Metric) -> list[Pairs]:
        """Those of the run's starts."""
        return self.starts[: len(run.turns)] if known.name == HEADLINE else []

    def change(self, pairs: Sequence[Pairs], look: Look) -> Change:
        """As between two versions."""
        return change(pairs, look)


class Replay(Gate):
    """A gate that keeps no state on disk."""

    def _save(self, plan: Plan, ended: bool = False) -> None:
        self._state = replace(self._state, plan=plan, ended=ended)


TURN = make_turn(100.0, label=LABEL)
RUN = make_run({LABEL: []})


def replay(draw: Draw, costs: Costs, limits: Limits = Limits()) -> Ended:  # noqa: B008 (frozen)
    """One gate, from its first start to its verdict."""
    played = Replayed(draw, costs)
    state = State(SCHEMA, Reference(), limits, played.name, "", Plan(60 * limits.max_minutes))
    gate = Replay(played, NoProgress(), Path(), state, [LABEL])  # type: ignore[arg-type]
    result = gate.result(played)  # type: ignore[arg-type]
    return Ended(result.verdict, result.minutes, len(played.starts))


def verdicts(ended: Sequence[Ended]) -> Counter[str]:
    """How many gates came to each verdict."""
    return Counter(each.verdict for each in ended)
