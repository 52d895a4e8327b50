"""Runs of two labels that go on by the rule of `--precision`, over and over: how often what they end with is true."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from firstpacket.bench.metrics import stopping_decision
from firstpacket.bench.metrics.stopping_decision import Continue, decide
from firstpacket.bench.record.rules import StoppingRule
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.stats.bootstrap import LEVEL
from firstpacket.bench.stats.sequential import checkpoints
from support.runs import make_turn

Noise = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
NOISES: dict[str, Noise] = {
    "Gaussian": lambda rng, shape: rng.normal(0, 0.14, shape),
    "heavy tails": lambda rng, shape: 0.07 * rng.standard_t(2, shape),
    "bimodal": lambda rng, shape: rng.normal(0, 0.1, shape) + 0.3 * rng.choice([-1, 0, 1], shape, p=[0.1, 0.8, 0.1]),
}
"""Of the log ratio of a pair."""
OF_CLIPS = 0.05
"""How far clips differ in their log ratio."""


def coverage(
    noise: str, clips: int, rule: StoppingRule, repetitions: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[tuple[float, dict[int, int]], ...]:
    """Share of the runs whose last interval holds the true ratio of 1, and how many ended at which number of passes.

    First with the rule as it is, then with plain 95 % intervals at every check; with a tenth of the resamples.
    """
    with monkeypatch.context() as changed:
        changed.setattr(stopping_decision, "CHECK_RESAMPLES", 1000)
        runs = list(_runs(noise, clips, rule.blocks, repetitions))
        ours = _share(runs, rule)
        changed.setattr(stopping_decision, "check_level", lambda _: LEVEL)
        return ours, _share(runs, rule)


def _share(runs: list[list[Turn]], rule: StoppingRule) -> tuple[float, dict[int, int]]:
    ends = [_end(turns, rule) for turns in runs]
    at = {blocks: sum(passes == blocks for passes, _ in ends) for blocks in checkpoints(rule.blocks)}
    return sum(held for _, held in ends) / len(runs), at


def _runs(noise: str, clips: int, passes: int, repetitions: int) -> Iterator[list[Turn]]:
    rng = np.random.default_rng([clips, list(NOISES).index(noise)])
    for _ in range(repetitions):
        logs = NOISES[noise](rng, (clips, passes)) + rng.normal(0, OF_CLIPS, (clips, 1))
        yield [
            make_turn(block=block, label=label, utterance=f"clip {clip}", figures={"first_packet_latency": ns})
            for block in range(passes)
            for clip in range(clips)
            for label, ns in (("a", 1e8), ("b", 1e8 * float(np.exp(logs[clip, block]))))
        ]


def _end(turns: list[Turn], rule: StoppingRule) -> tuple[int, bool]:
    for blocks in checkpoints(rule.blocks):
        decision = decide(turns, ["a", "b"], rule, blocks)
        if not isinstance(decision, Continue) or decision.next is None:
            found = decision.check.widest.estimate
            assert found is not None and found.interval is not None
            return blocks, found.interval.contains(1.0)
    raise AssertionError("the last check has no next")
