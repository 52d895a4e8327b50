"""A gate that ended early: what it keeps, when it continues, and when it refuses to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from support.simulated_starts import OTHER_PYTHON, SimulatedStarts, options, simulate, verdicts
from support.virtual import NoProgress

from firstpacket.bench.errors import BenchError, NotComparable, RunError, Stopped, UsageError
from firstpacket.bench.export.gate import write_gate
from firstpacket.bench.gate import run as gate
from firstpacket.bench.gate.change import LEAST_STARTS
from firstpacket.bench.gate.limits import Limits
from firstpacket.bench.gate.run import resume_gate, run_gate
from firstpacket.bench.gate.state import FILE


def test_an_interrupted_gate_continues_to_the_same_verdict(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = simulate(monkeypatch, a=100)
    whole.between = 0.03
    expected, _ = run_gate(options("a"), Limits(), OTHER_PYTHON, NoProgress(), cwd / "whole")
    simulated = simulate(monkeypatch, a=100)
    simulated.between, simulated.fails_at = 0.03, 7
    with pytest.raises(Stopped, match=f"continue with: bench gate --resume {cwd / 'stopped'}"):
        run_gate(options("a"), Limits(), OTHER_PYTHON, NoProgress(), cwd / "stopped")
    simulated.pairs.pop()
    simulated.fails_at = 0
    result = resume_gate(cwd / "stopped", NoProgress())
    assert simulated.pairs == whole.pairs
    assert verdicts(result) == verdicts(expected)
    write_gate(result, cwd / "stopped")
    with pytest.raises(RunError, match="has ended"):
        resume_gate(cwd / "stopped", NoProgress())


def test_a_gate_that_was_killed_in_its_first_start_continues(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What that start cost is not known; the next one shows it."""
    simulated = simulate(monkeypatch, a=100)
    simulated.fails_at, simulated.half_way = 1, True
    with pytest.raises(Stopped):
        run_gate(options("a"), Limits(max_minutes=2), OTHER_PYTHON, NoProgress(), cwd / "killed")
    result = resume_gate(cwd / "killed", NoProgress())
    assert {check.verdict for check in result.checks} == {"same"}
    assert "0 pairs answered only by the baseline, 0 only by the candidate" in result.checks[1].reason
    plan = json.loads((cwd / "killed" / FILE).read_text())["plan"]
    assert [cost["pairs"] for cost in plan["costs"]] == [0, *simulated.pairs[1:]]
    assert LEAST_STARTS <= plan["most_starts"] <= 120 / 3, "as many as the budget allows"


def test_a_start_that_was_killed_half_way_is_assumed_to_have_cost_the_mean(
    cwd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulated = simulate(monkeypatch, a=100)
    simulated.fails_at, simulated.half_way = 3, True
    with pytest.raises(Stopped):
        run_gate(options("a"), Limits(), OTHER_PYTHON, NoProgress(), cwd / "killed")
    resume_gate(cwd / "killed", NoProgress())
    costs = json.loads((cwd / "killed" / FILE).read_text())["plan"]["costs"]
    assert costs[2]["starting_s"] == 2.0
    for part in ("pairs_s", "pairs"):
        assert costs[2][part] == pytest.approx((costs[0][part] + costs[1][part]) / 2, abs=0.5)


@pytest.mark.parametrize("between", [0.02, 0.2])
def test_a_verdict_that_was_not_written_is_reached_again(
    cwd: Path, monkeypatch: pytest.MonkeyPatch, between: float
) -> None:
    """Early, and at the last look, which the budget makes."""
    simulated = simulate(monkeypatch, a=101)
    simulated.between = between
    expected, folder = run_gate(options("a"), Limits(max_minutes=1), OTHER_PYTHON, NoProgress(), cwd / "x")
    before = list(simulated.pairs)
    assert resume_gate(folder, NoProgress()) == expected
    assert simulated.pairs == before


def test_a_version_that_cannot_be_loaded_again_is_not_comparable(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulated = simulate(monkeypatch, a=100)
    simulated.fails_at = 3
    with pytest.raises(Stopped):
        run_gate(options("a"), Limits(), OTHER_PYTHON, NoProgress(), cwd / "stopped")
    simulated.fails_at, simulated.error = 4, NotComparable("it cannot be loaded")
    result = resume_gate(cwd / "stopped", NoProgress())
    assert (result.verdict, result.checks[0].reason) == ("not comparable", "it cannot be loaded")


@pytest.mark.parametrize(
    "damage",
    [
        {"budget_s": 1e9},
        {"budget_s": float("nan")},
        {"costs": [{"starting_s": -1, "pairs_s": 1, "pairs": 1}]},
        {"costs": [{"starting_s": 1, "pairs_s": 0, "pairs": 1}]},
        {"costs": "none"},
        {"pairs": 10**9},
        {"most_starts": 0},
        {"most_starts": 10**9},
        {"looks": [2, 1]},
        {"looks": [1, 2]},
        {"looks": [99]},
        {"limits": {"max_minutes": -1}},
        {"limits": {"resolution": -2}},
        {"limits": {"limits": [{"metric": "unheard_of"}]}},
        {"limits": {"limits": [{"max_regression": -3}]}},
        {"limits": {"limits": [{"ceiling_ms": 10}]}},
    ],
)
def test_a_damaged_state_is_refused(cwd: Path, monkeypatch: pytest.MonkeyPatch, damage: dict[str, object]) -> None:
    simulated = simulate(monkeypatch, a=100)
    simulated.fails_at = 3
    with pytest.raises(Stopped):
        run_gate(options("a"), Limits(), OTHER_PYTHON, NoProgress(), cwd / "stopped")
    file = cwd / "stopped" / FILE
    state = json.loads(file.read_text())
    for name, value in damage.items():
        place_of = state if name == "limits" else state["plan"]
        place_of[name] = {**state["limits"], **value} if isinstance(value, dict) else value
    file.write_text(json.dumps(state))
    with pytest.raises(RunError, match="Start a new gate"):
        resume_gate(cwd / "stopped", NoProgress())


def test_a_gate_continues_only_with_its_own_run(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulated = simulate(monkeypatch, a=100)
    simulated.fails_at = 3
    with pytest.raises(Stopped):
        run_gate(options("a"), Limits(), OTHER_PYTHON, NoProgress(), cwd / "stopped")
    own = simulated.made
    assert own is not None
    others = tuple(replace(system, source=system.source and "another") for system in own.manifest.labels)
    for made in (
        None,
        replace(own, segments=own.segments[:1]),
        replace(own, manifest=replace(own.manifest, labels=others)),
    ):
        simulated.made = made
        with pytest.raises(RunError, match="is not the run that this gate began"):
            resume_gate(cwd / "stopped", NoProgress())


def test_a_gate_that_never_began_leaves_nothing(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def refuses(*_: object) -> Iterator[SimulatedStarts]:
        raise UsageError("no such pipeline")
        yield

    monkeypatch.setattr(gate, "replicates", refuses)
    with pytest.raises(UsageError, match=r"^no such pipeline$"):
        run_gate(options("a"), Limits(), OTHER_PYTHON, NoProgress(), cwd / "gate")
    assert not (cwd / "gate").exists()


def test_a_gate_continues_only_with_the_code_that_it_began_with(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulated = simulate(monkeypatch, a=100)
    simulated.fails_at = 2
    with pytest.raises(Stopped):
        run_gate(options("a"), Limits(), OTHER_PYTHON, NoProgress(), cwd / "stopped")
    with monkeypatch.context() as patch:
        patch.setattr(gate, "working_tree", lambda: "changed")
        with pytest.raises(RunError, match="has changed since the gate began"):
            resume_gate(cwd / "stopped", NoProgress())
    file = cwd / "stopped" / FILE
    file.write_text(json.dumps({**json.loads(file.read_text()), "baseline": "revision main (0123456)"}))
    with pytest.raises(RunError, match=r"compared with revision main \(0123456\), which is now "):
        resume_gate(cwd / "stopped", NoProgress())


def test_a_system_that_stops_loading_leaves_what_was_measured(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulated = simulate(monkeypatch, a=100)
    simulated.fails_at, simulated.error = 3, BenchError("a: the model is gone.")
    with pytest.raises(BenchError, match=r"the model is gone\. Every finished turn is kept; continue with"):
        run_gate(options("a"), Limits(), OTHER_PYTHON, NoProgress(), cwd / "stopped")
