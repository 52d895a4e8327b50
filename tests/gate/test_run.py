"""What is measured how long, and the verdicts; the measuring itself is simulated."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from support.command import here
from support.runs import LATE, make_run, write_run
from support.virtual import NoProgress

from firstpacket.bench.errors import BenchError, NotComparable, RunError, Stopped, UnknownName
from firstpacket.bench.gate import baselines
from firstpacket.bench.gate import run as gate
from firstpacket.bench.gate.change import LEAST_STARTS
from firstpacket.bench.gate.limits import Limit, Limits
from firstpacket.bench.gate.run import resume_gate, run_gate
from firstpacket.bench.gate.state import Reference
from firstpacket.bench.options import Options, PipelineChoice
from firstpacket.bench.record.store import Run, read_run
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
    error: BaseException = field(default_factory=KeyboardInterrupt)
    pairs: list[int] = field(default_factory=list)
    """Of each start."""
    path: Path = Path()
    both: bool = False
    made: Run | None = None

    @contextmanager
    def begins(self, options: Options, command: object, progress: object, path: Path, base: object) -> Iterator[Played]:
        self.path, self.both, self.made = path, base is not None, None
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
        if len(self.pairs) == self.fails_at:
            raise self.error
        values = {}
        for place, (label, ms) in enumerate(self.ms.items()):
            luck = np.exp(self.between * np.random.default_rng(10 * number + place).standard_normal())
            values[label] = answers(ms * luck, 1000 * number + 2 * place, pairs, self.sd)
            if self.both:
                values[f"{label}.base"] = answers(self.base_ms, 1000 * number + 2 * place + 1, pairs, self.sd)
        sources = {label: {"source": "git abc"} for label in values if label.endswith(".base")}
        one = make_run(values, systems=sources, path=self.path, run=f"run {self.path.parent.name}", **self.said)
        turns = tuple(replace(turn, segment=number) for turn in one.turns)
        segments = (replace(one.segments[0], segment=number),)
        before = self.made
        self.made = (
            replace(one, turns=(*before.turns, *turns), segments=(*before.segments, *segments))
            if before
            else replace(one, turns=turns, segments=segments)
        )
        return Cost(2.0, 0.2 * pairs, pairs)


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
    with pytest.raises(Stopped, match=f"go on with: bench gate --resume {place / 'stopped'}"):
        run_gate(options("a"), Limits(), OTHER_PYTHON, NoProgress(), place / "stopped")
    played.pairs.pop()
    played.fails_at = 0
    result = resume_gate(place / "stopped", NoProgress())
    assert played.pairs == whole.pairs
    assert verdicts(result) == verdicts(expected)
    with pytest.raises(RunError, match="has ended"):
        resume_gate(place / "stopped", NoProgress())


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
    with pytest.raises(BenchError, match=r"the model is gone\. Every finished turn is kept; go on with"):
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
    played = play(monkeypatch, a=100)
    played.said["turn"] = {"outcome": "failed", "figures": {}}
    result, _ = run_gate(options("a"), Limits(max_minutes=1), OTHER_PYTHON, NoProgress())
    assert result.exit_code == 11


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
