"""What is measured how long, and the verdicts; the measuring itself is simulated."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from support.command import here
from support.runs import LATE, make_run, make_turn, write_run
from support.virtual import NoProgress

from firstpacket.bench.errors import BenchError, NotComparable, RunError, Stopped, UnknownName, UsageError
from firstpacket.bench.export.gate import write_gate
from firstpacket.bench.gate import baselines
from firstpacket.bench.gate import run as gate
from firstpacket.bench.gate.change import LEAST_STARTS
from firstpacket.bench.gate.limits import Limit, Limits
from firstpacket.bench.gate.run import resume_gate, run_gate
from firstpacket.bench.gate.state import FILE, Reference
from firstpacket.bench.options import Options, PipelineChoice
from firstpacket.bench.record.schema import Turn
from firstpacket.bench.record.store import Run, read_run
from firstpacket.bench.run.code_version import CodeVersion
from firstpacket.bench.run.replicates import Cost

OTHER_PYTHON = Reference(against=sys.executable)


def answers(typical_ms: float, seed: int, n: int = 60, sd: float = 0.05) -> list[float]:
    """First packets that scatter by `sd`."""
    return list(typical_ms * np.exp(sd * np.random.default_rng(seed).standard_normal(n)))


@dataclass
class Played:
    """In the place of measuring: labels answer after so many ms, in the other version after `base_ms`.

    A start takes 2 s, and a pair 0.2 s.
    """

    ms: dict[str, float]
    base_ms: float = 100.0
    sd: float = 0.05
    between: float = 0.0
    said: dict[str, object] = field(default_factory=dict)
    fails_at: int = 0
    """The start that raises `error`."""
    half_way: bool = False
    """Whether it does so after some of its turns."""
    silent: tuple[str, ...] = ()
    """Labels that never answer."""
    error: BaseException = field(default_factory=KeyboardInterrupt)
    pairs: list[int] = field(default_factory=list)
    """Of each start."""
    path: Path = Path()
    base: CodeVersion | None = None
    made: Run | None = None

    @contextmanager
    def begins(
        self, options: Options, command: object, progress: object, path: Path, base: CodeVersion | None
    ) -> Iterator[Played]:
        self.path, self.base, self.made = path, base, None
        path.mkdir()
        yield self

    @contextmanager
    def goes_on(self, progress: object, path: Path, base: object) -> Iterator[Played]:
        yield self

    def run(self) -> Run:
        return self.made or replace(make_run({label: [] for label in self.ms}, **self.said), segments=())

    def start(self, pairs: int, seconds: float) -> Cost:
        number = len(self.pairs)
        self.pairs.append(pairs)
        fails = len(self.pairs) == self.fails_at
        if fails and not self.half_way:
            raise self.error
        values = {}
        for place, (label, ms) in enumerate(self.ms.items()):
            luck = np.exp(self.between * np.random.default_rng(10 * number + place).standard_normal())
            values[label] = answers(ms * luck, 1000 * number + 2 * place, pairs, self.sd)
            if self.base is not None:
                values[f"{label}.base"] = answers(self.base_ms, 1000 * number + 2 * place + 1, pairs, self.sd)
        sources = {label: {"source": self.base.name} for label in values if self.base and label.endswith(".base")}
        one = make_run(values, systems=sources, path=self.path, run=f"run {self.path.parent.name}", **self.said)
        turns = tuple(self._turn(turn, number) for turn in one.turns)
        if fails:
            turns = (*turns[:-1], replace(turns[-1], turn=10**6, outcome="interrupted", figures={}))
        segments = (replace(one.segments[0], segment=number),)
        before = self.made
        self.made = (
            replace(one, turns=(*before.turns, *turns), segments=(*before.segments, *segments))
            if before
            else replace(one, turns=turns, segments=segments)
        )
        if fails:
            raise self.error
        return Cost(2.0, 0.2 * pairs, pairs)

    def _turn(self, turn: Turn, start: int) -> Turn:
        changed = {"outcome": "failed", "figures": {}} if turn.label in self.silent else {}
        return replace(turn, segment=start, **changed)  # type: ignore[arg-type]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def play(monkeypatch: pytest.MonkeyPatch, **ms: float) -> Played:
    played = Played(ms)
    monkeypatch.setattr(gate, "replicates", played.begins)
    monkeypatch.setattr(gate, "reopened", played.goes_on)
    return played


def options(*labels: str, **more: object) -> Options:
    return Options(tuple(PipelineChoice(label, "scripted", {}) for label in labels), **more)  # type: ignore[arg-type]


def verdicts(result) -> dict[tuple[str, str], tuple[str, int]]:
    return {(check.label, check.limit.metric): (check.verdict, check.starts) for check in result.checks}


def test_a_gate_ends_as_soon_as_every_check_is_decided(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = play(monkeypatch, slow=120, fine=100)
    result, folder = run_gate(options("slow", "fine"), Limits(), OTHER_PYTHON, NoProgress())
    assert len(played.pairs) == LEAST_STARTS
    found = verdicts(result)
    assert found["slow", "first_packet_latency"] == ("regressed", LEAST_STARTS)
    assert found["fine", "first_packet_latency"] == ("same", LEAST_STARTS)
    assert found["slow", "answers"] == ("same", LEAST_STARTS)
    assert (result.verdict, result.exit_code) == ("regressed", 10)
    assert folder.parent.name == "reports" and {path.name for path in folder.iterdir()} == {"run", "state.json"}


def test_processes_that_differ_need_more_starts(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = play(monkeypatch, a=100)
    played.between = 0.03
    result, _ = run_gate(options("a"), Limits(), OTHER_PYTHON, NoProgress())
    assert result.verdict == "same"
    assert len(played.pairs) > LEAST_STARTS


def test_the_budget_ends_a_gate_that_cannot_tell(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = play(monkeypatch, a=101)
    played.between = 0.2
    result, _ = run_gate(options("a"), Limits(max_minutes=1), OTHER_PYTHON, NoProgress())
    assert (result.verdict, result.exit_code) == ("inconclusive", 11)
    assert 40 <= sum(2 + 0.2 * pairs for pairs in played.pairs) <= 60


def test_with_time_for_few_starts_the_verdict_claims_less(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = play(monkeypatch, a=120)
    result, _ = run_gate(options("a"), Limits(max_minutes=0.1), OTHER_PYTHON, NoProgress())
    assert len(played.pairs) < LEAST_STARTS
    assert result.verdict == "regressed"
    assert "too few starts to tell how much processes differ" in result.checks[0].reason


def test_an_interrupted_gate_goes_on_and_comes_to_the_same_verdict(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = play(monkeypatch, a=100)
    whole.between = 0.03
    expected, _ = run_gate(options("a"), Limits(), OTHER_PYTHON, NoProgress(), place / "whole")
    played = play(monkeypatch, a=100)
    played.between, played.fails_at = 0.03, 7
    with pytest.raises(Stopped, match=f"continue with: bench gate --resume {place / 'stopped'}"):
        run_gate(options("a"), Limits(), OTHER_PYTHON, NoProgress(), place / "stopped")
    played.pairs.pop()
    played.fails_at = 0
    result = resume_gate(place / "stopped", NoProgress())
    assert played.pairs == whole.pairs
    assert verdicts(result) == verdicts(expected)
    write_gate(result, place / "stopped")
    with pytest.raises(RunError, match="has ended"):
        resume_gate(place / "stopped", NoProgress())


def test_a_gate_that_was_killed_in_its_first_start_goes_on(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What that start cost is not known; the next one shows it."""
    played = play(monkeypatch, a=100)
    played.fails_at, played.half_way = 1, True
    with pytest.raises(Stopped):
        run_gate(options("a"), Limits(max_minutes=2), OTHER_PYTHON, NoProgress(), place / "killed")
    result = resume_gate(place / "killed", NoProgress())
    assert {check.verdict for check in result.checks} == {"same"}
    assert "0 pairs answered only by the baseline, 0 only by the candidate" in result.checks[1].reason
    plan = json.loads((place / "killed" / FILE).read_text())["plan"]
    assert [cost["pairs"] for cost in plan["costs"]] == [0, *played.pairs[1:]]
    assert LEAST_STARTS <= plan["most_starts"] <= 120 / 3, "as many as the budget allows"


def test_a_verdict_that_was_not_written_is_reached_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = play(monkeypatch, a=101)
    played.between = 0.02
    expected, folder = run_gate(options("a"), Limits(max_minutes=1), OTHER_PYTHON, NoProgress(), place / "x")
    before = list(played.pairs)
    assert resume_gate(folder, NoProgress()) == expected
    assert played.pairs == before


def test_a_version_that_cannot_be_loaded_again_is_not_comparable(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = play(monkeypatch, a=100)
    played.fails_at = 3
    with pytest.raises(Stopped):
        run_gate(options("a"), Limits(), OTHER_PYTHON, NoProgress(), place / "stopped")
    played.fails_at, played.error = 4, NotComparable("it cannot be loaded")
    result = resume_gate(place / "stopped", NoProgress())
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
def test_a_damaged_state_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch, damage: dict[str, object]) -> None:
    played = play(monkeypatch, a=100)
    played.fails_at = 3
    with pytest.raises(Stopped):
        run_gate(options("a"), Limits(), OTHER_PYTHON, NoProgress(), place / "stopped")
    file = place / "stopped" / FILE
    state = json.loads(file.read_text())
    for name, value in damage.items():
        place_of = state if name == "limits" else state["plan"]
        place_of[name] = {**state["limits"], **value} if isinstance(value, dict) else value
    file.write_text(json.dumps(state))
    with pytest.raises(RunError, match="Start a new gate"):
        resume_gate(place / "stopped", NoProgress())


def test_a_gate_goes_on_only_with_its_own_run(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = play(monkeypatch, a=100)
    played.fails_at = 3
    with pytest.raises(Stopped):
        run_gate(options("a"), Limits(), OTHER_PYTHON, NoProgress(), place / "stopped")
    played.made = None
    with pytest.raises(RunError, match="is not the run that this gate began"):
        resume_gate(place / "stopped", NoProgress())


def test_a_gate_that_never_began_leaves_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def refuses(*_: object) -> Iterator[Played]:
        raise UsageError("no such pipeline")
        yield

    monkeypatch.setattr(gate, "replicates", refuses)
    with pytest.raises(UsageError, match=r"^no such pipeline$"):
        run_gate(options("a"), Limits(), OTHER_PYTHON, NoProgress(), place / "gate")
    assert not (place / "gate").exists()


def test_a_gate_goes_on_only_with_the_code_that_it_began_with(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = play(monkeypatch, a=100)
    played.fails_at = 2
    with pytest.raises(Stopped):
        run_gate(options("a"), Limits(), OTHER_PYTHON, NoProgress(), place / "stopped")
    monkeypatch.setattr(gate, "working_tree", lambda: "changed")
    with pytest.raises(RunError, match="has changed since the gate began"):
        resume_gate(place / "stopped", NoProgress())


def test_a_system_that_stops_loading_leaves_what_was_measured(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = play(monkeypatch, a=100)
    played.fails_at, played.error = 3, BenchError("a: the model is gone.")
    with pytest.raises(BenchError, match=r"the model is gone\. Every finished turn is kept; continue with"):
        run_gate(options("a"), Limits(), OTHER_PYTHON, NoProgress(), place / "stopped")


def test_a_version_that_cannot_be_measured_is_not_comparable(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = play(monkeypatch, a=100, b=100)
    played.fails_at, played.error = 1, NotComparable("it would be compared with itself")
    result, _ = run_gate(options("a", "b"), Limits(), OTHER_PYTHON, NoProgress())
    assert {check.reason for check in result.checks} == {"it would be compared with itself"}
    assert (result.verdict, result.exit_code) == ("not comparable", 13)


def test_an_invalid_run_passes_no_check(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = play(monkeypatch, a=100)
    played.said["turn"] = LATE
    result, _ = run_gate(options("a"), Limits(), OTHER_PYTHON, NoProgress())
    assert result.verdict == "not comparable"
    assert "invalid" in result.checks[0].reason


def test_a_system_that_never_answers_never_passes(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where inconclusive checks may, and without using up the time."""
    allowing = Limits(max_minutes=30, allow=("inconclusive", "no-baseline"))
    for silent, code, reason in (
        (("a", "a.base"), 13, "a answered none of .* turns; a.base answered none of"),
        (("a.base",), 13, "^a.base answered none of"),
        (("a",), 10, "answered only by the baseline"),
    ):
        played = play(monkeypatch, a=100)
        played.silent = silent
        result, _ = run_gate(options("a"), allowing, OTHER_PYTHON, NoProgress(), place / "+".join(silent))
        assert (result.exit_code, len(played.pairs)) == (code, LEAST_STARTS)
        assert any(re.search(reason, check.reason) for check in result.failing), result.checks


def test_answers_that_are_missing_on_both_sides_pass_no_check(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where no limit is set for the system."""
    played = play(monkeypatch, a=100, b=100)
    played.silent = ("b", "b.base")
    result, _ = run_gate(options("a", "b"), Limits((Limit(label="a"),)), OTHER_PYTHON, NoProgress())
    assert {check.label: check.verdict for check in result.checks} == {"a": "same", "b": "not comparable"}


def test_a_metric_that_no_turn_has_is_named(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, a=100)
    absent = Limits((Limit("stage.nowhere.host"),), max_minutes=1)
    result, _ = run_gate(options("a"), absent, OTHER_PYTHON, NoProgress())
    assert result.exit_code == 11
    assert "left out: " in result.checks[0].reason and "nowhere" in result.checks[0].reason


def test_a_candidate_that_became_silent_is_not_an_improvement(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its turns end after the first packet, which comes soon; only its cold turns, which are whole, are silent."""
    played = play(monkeypatch, a=10)
    measured = Played.run

    def run(self: Played) -> Run:
        found = measured(self)
        cold = [
            make_turn(outcome, label=label, phase="cold", segment=each.segment)
            for each in found.segments
            for label, outcome in (("a", "silent"), ("a.base", 100.0))
        ]
        return replace(found, turns=(*found.turns, *cold))

    monkeypatch.setattr(Played, "run", run)
    result, _ = run_gate(options("a"), Limits(), OTHER_PYTHON, NoProgress())
    assert result.exit_code == 13
    assert "a answered none of 5 cold turns" in result.checks[0].reason
    assert played.pairs


def test_a_metric_that_no_turn_has_does_not_use_up_the_budget(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = play(monkeypatch, a=100)
    limits = Limits((Limit("llm_ttft"),))
    result, _ = run_gate(options("a"), limits, OTHER_PYTHON, NoProgress())
    assert (result.verdict, len(played.pairs)) == ("inconclusive", LEAST_STARTS)


def test_a_base_that_no_longer_loads_does_not_hide_a_regression(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = play(monkeypatch, slow=130, unclear=103)
    played.between, played.fails_at = 0.02, LEAST_STARTS + 1
    played.error = NotComparable("the base cannot be loaded")
    result, _ = run_gate(options("slow", "unclear"), Limits(), OTHER_PYTHON, NoProgress())
    found = [(check.label, check.verdict) for check in result.checks]
    assert ("slow", "regressed") in found and ("unclear", "not comparable") in found
    assert result.exit_code == 10


def test_ceilings_need_no_baseline(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, a=100)
    ceiling = Limits((Limit(statistic="p50", ceiling_ms=150),))
    result, _ = run_gate(options("a"), ceiling, Reference(), NoProgress())
    assert (result.verdict, result.exit_code) == ("same", 0)
    both = Limits((Limit(statistic="p50", ceiling_ms=50), Limit()))
    result, _ = run_gate(options("a"), both, Reference(), NoProgress(), place / "both")
    assert sorted(check.verdict for check in result.checks) == ["no baseline", "regressed"]


def test_a_limit_on_an_unmeasured_label_is_a_usage_error(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = play(monkeypatch, direct=100)
    with pytest.raises(UnknownName, match="Did you mean 'direct'"):
        run_gate(options("direct"), Limits((Limit(label="driect"),)), Reference(), NoProgress())
    assert played.pairs == [] and not (place / "reports").exists()


def test_an_existing_folder_is_not_overwritten(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, a=100)
    with pytest.raises(RunError, match="exists already"):
        run_gate(options("a"), Limits(), Reference(), NoProgress(), place)


def test_a_baseline_is_found_by_conditions_name_or_folder(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = write_run(place / "before", make_run({"a": answers(100, 1)}, run="before"))
    baselines.save([read_run(before)], "main")
    for asked in ("auto", "main", str(before)):
        play(monkeypatch, a=130)
        result, _ = run_gate(
            options("a"), Limits(), Reference(baseline=asked), NoProgress(), place / f"on {Path(asked).name}"
        )
        assert verdicts(result)["a", "first_packet_latency"] == ("regressed", 1), asked
        assert result.baseline == ("baseline before" if asked == str(before) else "baseline main")
    played = play(monkeypatch, a=100)
    played.said["environment"] = {"cpu": "Another CPU"}
    elsewhere, _ = run_gate(options("a"), Limits(), Reference(), NoProgress(), place / "elsewhere")
    assert elsewhere.verdict == "no baseline"
    refused, _ = run_gate(options("a"), Limits(), Reference(baseline="main"), NoProgress(), place / "refused")
    assert (refused.verdict, refused.exit_code) == ("not comparable", 13)
    assert "Another CPU" in refused.checks[0].reason


def test_a_damaged_baseline_is_passed_over_or_refused_before_measuring(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = write_run(place / "before", make_run({"a": answers(100, 1)}, run="before"))
    for name in ("main", "newer"):
        baselines.save([read_run(before)], name)
    (torn,) = (baselines.folder() / "newer").glob("*/turns.jsonl")
    torn.write_bytes(torn.read_bytes()[:300])
    play(monkeypatch, a=130)
    result, _ = run_gate(options("a"), Limits(), Reference(), NoProgress(), place / "auto")
    assert (result.verdict, result.baseline) == ("regressed", "baseline main")
    assert any(each.startswith("baseline newer was not used: it is damaged: ") for each in result.notices)
    (place / "before/turns.jsonl").write_text("")
    (place / "empty").mkdir()
    for asked, said in (
        ("newer", "'newer' is damaged"),
        ("before", "no answered turn"),
        ("empty", "is not a run folder: manifest.json cannot be read"),
    ):
        played = play(monkeypatch, a=130)
        with pytest.raises(RunError, match=said):
            run_gate(options("a"), Limits(), Reference(baseline=asked), NoProgress(), place / asked / "gate")
        assert played.pairs == []
    shutil.rmtree(baselines.folder() / "main")
    play(monkeypatch, a=130)
    result, _ = run_gate(options("a"), Limits(), Reference(), NoProgress(), place / "none left")
    assert result.verdict == "no baseline" and "baseline newer was not used" in result.checks[0].reason


def test_the_band_is_learnt_from_the_runs_of_the_baseline(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One run is assumed to differ by 1 %; three that differ by 6 % show that 8 % slower is nothing unusual."""
    runs = [
        read_run(
            write_run(place / f"b{n}", make_run({"a": answers(100 * (1 + 0.06 * n), 1 + n, sd=0.01)}, run=f"b{n}"))
        )
        for n in (-1, 0, 1)
    ]
    for count, verdict, said in (
        (1, "regressed", "against one stored run: how much runs differ is unknown, so 1.0 % is assumed, and no error"),
        (2, "regressed", "against 2 stored runs: too few to tell how much runs differ, so 1.0 % is assumed"),
        (3, "inconclusive", "against 3 stored runs, which differ by 6."),
    ):
        baselines.save(runs[:count], "main", replace=True)
        played = play(monkeypatch, a=108)
        result, _ = run_gate(options("a"), Limits(), Reference(baseline="main"), NoProgress(), place / str(count))
        check = result.checks[0]
        assert (check.verdict, len(played.pairs)) == (verdict, LEAST_STARTS), check.reason
        assert said in check.reason
        assert check.change is not None and (check.change.unit, check.change.starts) == ("run", count)


def test_a_baseline_of_an_earlier_version_is_not_comparable(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = write_run(place / "before", make_run({"a": answers(100, 1)}, run="before"))
    kept = baselines.save([read_run(before)], "main").stored[0].path
    for file in kept.iterdir():
        file.rename(kept.parent / file.name)
    kept.rmdir()
    play(monkeypatch, a=100)
    found, folder = run_gate(options("a"), Limits(), Reference(baseline="main"), NoProgress())
    assert (found.verdict, found.exit_code) == ("not comparable", 13)
    assert f"bench baseline save {folder / 'run'} --name main --replace" in found.checks[0].reason
    play(monkeypatch, a=100)
    passed_over, _ = run_gate(options("a"), Limits(), Reference(), NoProgress(), place / "auto")
    assert passed_over.verdict == "no baseline"
    assert any("baseline main was not used: it was saved by an earlier version" in each for each in passed_over.notices)


def test_flags_win_over_the_file_and_old_ones_name_the_new(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, a=100)
    (place / "bench.toml").write_text(
        "turns = 7\n[[pipeline]]\nname = 'scripted'\nlabel = 'a'\n[gate]\nmax-minutes = 1\n"
    )
    assert here("gate", "--no-report").returncode == 12
    assert here("gate", "--no-report", "--max-minutes", "2", "--out", "3", "--allow", "no-baseline").returncode == 0
    for arguments, word in (
        (("--allow", "regressed"), "regressed"),
        (("--max-minutes", "0"), "between 0.01 and 1440"),
        (("--pairs", "100"), "--max-minutes"),
        (("--against", "main", "--baseline", "main"), "cannot be combined"),
        (("--resume", "3", "--aa"), "takes no other options"),
    ):
        wrong = here("gate", *arguments, "--out", "4")
        assert wrong.returncode == 2 and word in wrong.stderr
