"""How often the interval of a run ended by `--precision` covers the truth, against the stated 95 %.

`FIRSTPACKET_REPETITIONS=2000` makes the table in docs/evidence.md. Two labels differ by nothing but noise of turns and
by what clips add at random; beside the rule as it is, the same with plain 95 % intervals at every look.
"""

from __future__ import annotations

import os
import sys

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from support.stopping import NOISES, coverage

from firstpacket.bench.record.rules import StoppingRule

REPETITIONS = int(os.environ.get("FIRSTPACKET_REPETITIONS", "250"))
WANTED = {10: 0.045, 24: 0.035}
"""By clips: a width at which runs end at every look."""


@pytest.mark.parametrize("clips", WANTED)
@pytest.mark.parametrize("noise", NOISES)
def test_ending_early_costs_no_coverage(
    noise: str,
    clips: int,
    monkeypatch: pytest.MonkeyPatch,
    benchmark: BenchmarkFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rule = StoppingRule(WANTED[clips], "share", 16, 60.0)
    (ours, at), (naive, naive_at) = coverage(noise, clips, rule, REPETITIONS, monkeypatch)
    text = f"{noise} | {clips} | {100 * ours:.1f} % | {100 * naive:.1f} % | {[*at.values()]} | {[*naive_at.values()]}"
    benchmark.extra_info["until"] = text
    benchmark.pedantic(lambda: None, rounds=1)
    with capsys.disabled():
        sys.stdout.write(f"\nuntil | {text}")
    sampling = 2 * (0.05 * 0.95 / REPETITIONS) ** 0.5
    assert ours >= 0.95 - sampling
    assert naive < ours
