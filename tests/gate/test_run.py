"""How much a gate measures, and its verdicts, against another version; the starts are simulated."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from support.runs import LATE, make_turn
from support.simulated_starts import OTHER_PYTHON, SimulatedStarts, options, simulate, verdicts
from support.virtual import NoProgress

from firstpacket.bench.errors import NotComparable, RunError, UnknownName
from firstpacket.bench.gate.advice import advice
from firstpacket.bench.gate.change import LEAST_STARTS
from firstpacket.bench.gate.limits import Limit, Limits
from firstpacket.bench.gate.run import run_gate
from firstpacket.bench.gate.state import Reference
from firstpacket.bench.options import Options, PipelineChoice
from firstpacket.bench.record.store import Run


def test_a_gate_ends_as_soon_as_every_check_is_decided(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulated = simulate(monkeypatch, slow=120, fine=100)
    result, folder = run_gate(options("slow", "fine"), Limits(), OTHER_PYTHON, NoProgress())
    assert len(simulated.pairs) == LEAST_STARTS
    found = verdicts(result)
    assert found["slow", "first_packet_latency"] == ("regressed", LEAST_STARTS)
    assert found["fine", "first_packet_latency"] == ("same", LEAST_STARTS)
    assert found["slow", "answers"] == ("same", LEAST_STARTS)
    assert (result.verdict, result.exit_code) == ("regressed", 10)
    assert folder.parent.name == "reports" and {path.name for path in folder.iterdir()} == {"run", "state.json"}


def test_processes_that_differ_need_more_starts(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulated = simulate(monkeypatch, a=100)
    simulated.between = 0.03
    result, _ = run_gate(options("a"), Limits(), OTHER_PYTHON, NoProgress())
    assert result.verdict == "same"
    assert len(simulated.pairs) > LEAST_STARTS


def test_the_budget_ends_a_gate_that_cannot_tell(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulated = simulate(monkeypatch, a=101)
    simulated.between = 0.2
    result, _ = run_gate(options("a"), Limits(max_minutes=1), OTHER_PYTHON, NoProgress())
    assert (result.verdict, result.exit_code) == ("inconclusive", 11)
    assert 40 <= sum(2 + 0.2 * pairs for pairs in simulated.pairs) <= 60
    assert simulated.pairs[LEAST_STARTS] < simulated.pairs[LEAST_STARTS - 1], "shorter starts, but more of them"


@pytest.mark.parametrize("starts", [1, LEAST_STARTS + 1])
def test_a_limit_of_usage_ends_a_gate_and_is_the_reason(
    cwd: Path, monkeypatch: pytest.MonkeyPatch, starts: int
) -> None:
    """Checks that can be decided are; one that cannot is inconclusive, and more time is not the advice."""
    simulated = simulate(monkeypatch, slow=200, unclear=102)
    simulated.sd, simulated.limit_after = 0.3, starts
    result, _ = run_gate(options("slow", "unclear"), Limits(), OTHER_PYTHON, NoProgress())
    assert len(simulated.pairs) == starts
    found = {check.label: check for check in result.checks if check.limit.metric == "first_packet_latency"}
    assert found["unclear"].verdict == "inconclusive"
    assert found["unclear"].reason.endswith(
        "; the run ended at its limit of 200 turns (--max-turns): slow, unclear had 198 turns in all phases, and the "
        "next would have exceeded it"
    )
    assert found["slow"].verdict == "regressed"
    said = " ".join(advice(result))
    assert "Start a new gate with a higher --max-turns." in said and "--max-minutes" not in said


def test_a_decided_check_stays_as_it_is_while_others_are_open(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulated = simulate(monkeypatch, slow=150, unclear=103)
    simulated.between = 0.03
    result, _ = run_gate(options("slow", "unclear"), Limits(), OTHER_PYTHON, NoProgress())
    found = verdicts(result)
    assert found["slow", "first_packet_latency"] == ("regressed", LEAST_STARTS)
    assert found["unclear", "first_packet_latency"][1] > LEAST_STARTS


def test_answers_that_stop_after_the_first_look_are_noticed(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulated = simulate(monkeypatch, a=101)
    simulated.between, simulated.silent, simulated.silent_from = 0.2, ("a",), LEAST_STARTS
    result, _ = run_gate(options("a"), Limits(max_minutes=1), OTHER_PYTHON, NoProgress())
    verdict, starts = verdicts(result)["a", "answers"]
    assert (verdict, result.exit_code) == ("regressed", 10) and starts > LEAST_STARTS


class Lines(NoProgress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def checked(self, said: str) -> None:
        self.lines.append(said)


def test_progress_tells_what_an_undecided_check_needs(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    progress, simulated = Lines(), simulate(monkeypatch, a=101)
    simulated.between = 0.2
    run_gate(options("a"), Limits(max_minutes=1), OTHER_PYTHON, progress)
    assert progress.lines[0].startswith("after 1 start: a: first_packet_latency")
    assert any(line.startswith(f"after {LEAST_STARTS} starts: a: first_packet_latency") for line in progress.lines)


SERVED = PipelineChoice("a", "cascade", {"llm": "openai", "llm-model": "served"})


@pytest.mark.parametrize(
    ("measured", "limit", "against", "leave_after"),
    [
        (options("a"), Limit(), OTHER_PYTHON, "first_packet"),
        (options("a"), Limit("response_latency"), OTHER_PYTHON, "reply"),
        (options("a"), Limit(), Reference(), "reply"),
        (Options((SERVED,)), Limit(), OTHER_PYTHON, "reply"),
    ],
    ids=["short", "a limit needs replies", "as stored runs", "a server would be left half-way"],
)
def test_turns_end_with_their_first_packet_where_nothing_needs_more(
    cwd: Path, monkeypatch: pytest.MonkeyPatch, measured: Options, limit: Limit, against: Reference, leave_after: str
) -> None:
    simulated = simulate(monkeypatch, a=100)
    run_gate(measured, Limits((limit,), max_minutes=0.1), against, NoProgress())
    assert simulated.options is not None and simulated.options.leave_after == leave_after


def test_with_time_for_few_starts_the_verdict_claims_less(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulated = simulate(monkeypatch, a=120)
    result, _ = run_gate(options("a"), Limits(max_minutes=0.1), OTHER_PYTHON, NoProgress())
    assert len(simulated.pairs) < LEAST_STARTS
    assert result.verdict == "regressed"
    assert "too few starts to tell how much processes differ" in result.checks[0].reason


def test_a_version_that_cannot_be_measured_is_not_comparable(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulated = simulate(monkeypatch, a=100, b=100)
    simulated.fails_at, simulated.error = 1, NotComparable("it would be compared with itself")
    result, _ = run_gate(options("a", "b"), Limits(), OTHER_PYTHON, NoProgress())
    assert {check.reason for check in result.checks} == {"it would be compared with itself"}
    assert (result.verdict, result.exit_code) == ("not comparable", 13)


def test_an_invalid_run_passes_no_check(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulated = simulate(monkeypatch, a=100)
    simulated.more["turn"] = LATE
    result, _ = run_gate(options("a"), Limits(), OTHER_PYTHON, NoProgress())
    assert result.verdict == "not comparable"
    assert "invalid" in result.checks[0].reason


def test_a_system_that_never_answers_never_passes(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where inconclusive checks may, and without using up the time."""
    allowing = Limits(max_minutes=30, allow=("inconclusive", "no-baseline"))
    for silent, code, reason in (
        (("a", "a.base"), 13, "a answered none of .* turns; a.base answered none of"),
        (("a.base",), 13, "^a.base answered none of"),
        (("a",), 10, "answered only by the baseline"),
    ):
        simulated = simulate(monkeypatch, a=100)
        simulated.silent = silent
        result, _ = run_gate(options("a"), allowing, OTHER_PYTHON, NoProgress(), cwd / "+".join(silent))
        assert (result.exit_code, len(simulated.pairs)) == (code, LEAST_STARTS)
        assert any(re.search(reason, check.reason) for check in result.failing), result.checks


def test_answers_that_are_missing_on_both_sides_pass_no_check(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where no limit is set for the system."""
    simulated = simulate(monkeypatch, a=100, b=100)
    simulated.silent = ("b", "b.base")
    result, _ = run_gate(options("a", "b"), Limits((Limit(label="a"),)), OTHER_PYTHON, NoProgress())
    assert {check.label: check.verdict for check in result.checks} == {"a": "same", "b": "not comparable"}


def test_a_metric_that_no_turn_has_is_named(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulate(monkeypatch, a=100)
    absent = Limits((Limit("stage.nowhere.host"),), max_minutes=1)
    result, _ = run_gate(options("a"), absent, OTHER_PYTHON, NoProgress())
    assert result.exit_code == 11
    assert "left out: " in result.checks[0].reason and "nowhere" in result.checks[0].reason


def test_a_candidate_that_became_silent_is_not_an_improvement(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its turns end after the first packet, which comes soon; only its cold turns, which are whole, are silent."""
    simulated = simulate(monkeypatch, a=10)
    measured = SimulatedStarts.run

    def run(self: SimulatedStarts) -> Run:
        found = measured(self)
        cold = [
            make_turn(outcome, label=label, phase="cold", segment=each.segment)
            for each in found.segments
            for label, outcome in (("a", "silent"), ("a.base", 100.0))
        ]
        return replace(found, turns=(*found.turns, *cold))

    monkeypatch.setattr(SimulatedStarts, "run", run)
    result, _ = run_gate(options("a"), Limits(), OTHER_PYTHON, NoProgress())
    assert result.exit_code == 13
    assert "a answered none of 5 cold turns" in result.checks[0].reason
    assert simulated.pairs


def test_a_metric_that_no_turn_has_does_not_use_up_the_budget(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulated = simulate(monkeypatch, a=100)
    limits = Limits((Limit("llm_ttft"),))
    result, _ = run_gate(options("a"), limits, OTHER_PYTHON, NoProgress())
    assert (result.verdict, len(simulated.pairs)) == ("inconclusive", LEAST_STARTS)


def test_a_base_that_no_longer_loads_does_not_hide_a_regression(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulated = simulate(monkeypatch, slow=130, unclear=103)
    simulated.between, simulated.fails_at = 0.02, LEAST_STARTS + 1
    simulated.error = NotComparable("the base cannot be loaded")
    result, _ = run_gate(options("slow", "unclear"), Limits(), OTHER_PYTHON, NoProgress())
    found = [(check.label, check.verdict) for check in result.checks]
    assert ("slow", "regressed") in found and ("unclear", "not comparable") in found
    assert result.exit_code == 10


def test_ceilings_need_no_baseline(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulate(monkeypatch, a=100)
    ceiling = Limits((Limit(statistic="p50", ceiling_ms=150),))
    result, _ = run_gate(options("a"), ceiling, Reference(), NoProgress())
    assert (result.verdict, result.exit_code) == ("same", 0)
    both = Limits((Limit(statistic="p50", ceiling_ms=50), Limit()))
    result, _ = run_gate(options("a"), both, Reference(), NoProgress(), cwd / "both")
    assert sorted(check.verdict for check in result.checks) == ["no baseline", "regressed"]


def test_a_limit_on_an_unmeasured_label_is_a_usage_error(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulated = simulate(monkeypatch, direct=100)
    with pytest.raises(UnknownName, match="Did you mean 'direct'"):
        run_gate(options("direct"), Limits((Limit(label="driect"),)), Reference(), NoProgress())
    assert simulated.pairs == [] and not (cwd / "reports").exists()


def test_an_existing_folder_is_not_overwritten(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulate(monkeypatch, a=100)
    with pytest.raises(RunError, match="exists already"):
        run_gate(options("a"), Limits(), Reference(), NoProgress(), cwd)
