"""Starts of a gate that are simulated: a gate runs as it is, without processes and without waiting."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from firstpacket.bench.gate import run as gate
from firstpacket.bench.gate.result import GateResult
from firstpacket.bench.gate.state import Reference
from firstpacket.bench.options import Options, PipelineChoice
from firstpacket.bench.record.rules import LimitReached, UsageLimits
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.record.store import Run
from firstpacket.bench.run.code_version import CodeVersion
from firstpacket.bench.run.replicates import Cost
from support.runs import make_run

OTHER_PYTHON = Reference(against=sys.executable)


def answers(typical_ms: float, seed: int, n: int = 60, sd: float = 0.05) -> list[float]:
    """First packets that scatter by `sd`."""
    return list(typical_ms * np.exp(sd * np.random.default_rng(seed).standard_normal(n)))


@dataclass
class SimulatedStarts:
    """Takes the place of `Replicates`. A start takes 2 s, and a pair 0.2 s."""

    ms: dict[str, float]
    """The typical first packet of each label, in the candidate."""
    base_ms: float = 100.0
    """The same in the other version, of every label."""
    sd: float = 0.05
    """Between turns, of the logarithm."""
    between: float = 0.0
    """The same between the starts of a label in the candidate."""
    more: dict[str, object] = field(default_factory=dict)
    """What else `make_run` gets."""
    fails_at: int = 0
    """The start that raises `error`."""
    half_way: bool = False
    """Whether it does so after some of its turns."""
    silent: tuple[str, ...] = ()
    """Labels that do not answer."""
    silent_from: int = 0
    """The first start in which they do not."""
    limit_after: int = 0
    """The start that a usage limit ends."""
    error: BaseException = field(default_factory=KeyboardInterrupt)
    pairs: list[int] = field(default_factory=list)
    """Of each start."""
    path: Path = Path()
    options: Options | None = None
    base: CodeVersion | None = None
    made: Run | None = None

    @contextmanager
    def replicates(
        self, options: Options, command: object, progress: object, path: Path, base: CodeVersion | None
    ) -> Iterator[SimulatedStarts]:
        self.path, self.options, self.base, self.made = path, options, base, None
        path.mkdir()
        yield self

    @contextmanager
    def reopened(self, progress: object, path: Path, base: object) -> Iterator[SimulatedStarts]:
        yield self

    def run(self) -> Run:
        return self.made or replace(make_run({label: [] for label in self.ms}, **self.more), segments=())

    def start(self, pairs: int, seconds: float) -> Cost:
        number = len(self.pairs)
        self.pairs.append(pairs)
        fails = len(self.pairs) == self.fails_at
        if fails and not self.half_way:
            raise self.error
        one = self._measured(number, pairs)
        if fails:
            one = replace(one, turns=(*one.turns[:-1], interrupted(one.turns[-1])))
        if len(self.pairs) == self.limit_after:
            one = replace(one, limit=LimitReached("max_turns", UsageLimits(tuple(self.ms), 200), 198, 9.0))
        before = self.made or replace(one, turns=(), segments=())
        self.made = replace(one, turns=(*before.turns, *one.turns), segments=(*before.segments, *one.segments))
        if fails:
            raise self.error
        return Cost(2.0, 0.2 * pairs, pairs)

    def _measured(self, number: int, pairs: int) -> Run:
        """A run with this start alone."""
        values = {}
        for position, (label, ms) in enumerate(self.ms.items()):
            luck = np.exp(self.between * np.random.default_rng(10 * number + position).standard_normal())
            values[label] = answers(ms * luck, 1000 * number + 2 * position, pairs, self.sd)
            if self.base is not None:
                values[f"{label}.base"] = answers(self.base_ms, 1000 * number + 2 * position + 1, pairs, self.sd)
        sources = {label: {"source": self.base.name} for label in values if self.base and label.endswith(".base")}
        one = make_run(values, systems=sources, path=self.path, run=f"run {self.path.parent.name}", **self.more)
        turns = tuple(self._turn(turn, number) for turn in one.turns)
        return replace(one, turns=turns, segments=(replace(one.segments[0], segment=number),))

    def _turn(self, turn: Turn, start: int) -> Turn:
        is_silent = turn.label in self.silent and start >= self.silent_from
        changed = {"outcome": "failed", "figures": {}} if is_silent else {}
        return replace(turn, segment=start, **changed)  # type: ignore[arg-type]


def interrupted(turn: Turn) -> Turn:
    return replace(turn, turn=10**6, outcome="interrupted", figures={})


def simulate(monkeypatch: pytest.MonkeyPatch, **ms: float) -> SimulatedStarts:
    """Let gates measure these labels, which answer after so many ms."""
    simulated = SimulatedStarts(ms)
    monkeypatch.setattr(gate, "replicates", simulated.replicates)
    monkeypatch.setattr(gate, "reopened", simulated.reopened)
    return simulated


def options(*labels: str, **more: object) -> Options:
    return Options(tuple(PipelineChoice(label, "scripted", {}) for label in labels), **more)  # type: ignore[arg-type]


def verdicts(result: GateResult) -> dict[tuple[str, str], tuple[str, int]]:
    """By label and metric: each verdict, and the number of starts that it took."""
    return {(check.label, check.limit.metric): (check.verdict, check.starts) for check in result.checks}
