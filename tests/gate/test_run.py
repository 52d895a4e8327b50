"""What is measured how often, and the verdicts; the measuring itself is simulated."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from support.command import here
from support.runs import LATE, make_run, write_run
from support.virtual import NoProgress

from firstpacket.bench.errors import NotComparable, RunError, UnknownName
from firstpacket.bench.gate import baselines
from firstpacket.bench.gate.limits import Limit, Limits
from firstpacket.bench.gate.run import Reference, run_aa, run_gate
from firstpacket.bench.options import Options, PipelineChoice
from firstpacket.bench.record.store import read_run
from firstpacket.bench.run import session

OTHER_PYTHON = Reference(against=sys.executable)


def answers(typical_ms: float, seed: int, n: int = 60) -> list[float]:
    """First packets that scatter by 5 %."""
    return list(typical_ms * np.exp(0.05 * np.random.default_rng(seed).standard_normal(n)))


class Played:
    """In the place of measuring: labels answer after so many ms, in the other version after `base_ms`."""

    def __init__(self, **ms: float) -> None:
        self.ms = ms
        self.base_ms = 100.0
        self.asked: list[tuple[str, ...]] = []
        self.turns: list[int | None] = []
        self.said: dict[str, object] = {}

    def start(self, options: Options, command: object, progress: object, base: object = None) -> Path:
        labels = tuple(choice.label for choice in options.pipelines)
        self.asked.append(labels)
        self.turns.append(options.turns)
        seed = 100 * len(self.asked)
        values = {label: answers(self.ms[label], seed + place) for place, label in enumerate(labels)}
        if base is not None:
            values |= {f"{label}.base": answers(self.base_ms, seed + 50 + n) for n, label in enumerate(labels)}
        assert options.out is not None
        return write_run(Path(options.out), make_run(values, run=f"run {len(self.asked)}", **self.said))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def play(monkeypatch: pytest.MonkeyPatch, **ms: float) -> Played:
    played = Played(**ms)
    monkeypatch.setattr(session, "start", played.start)
    return played


def options(*labels: str, **more: object) -> Options:
    return Options(tuple(PipelineChoice(label, "scripted", {}) for label in labels), **more)  # type: ignore[arg-type]


def verdicts(result) -> dict[tuple[str, str], tuple[str, int]]:
    return {(check.label, check.limit.metric): (check.verdict, check.rounds) for check in result.checks}


def test_only_failed_labels_are_measured_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = play(monkeypatch, slow=120, fine=100)
    result, folder = run_gate(options("slow", "fine"), Limits(pairs=60), OTHER_PYTHON, NoProgress())
    assert played.asked == [("slow", "fine"), ("slow",)]
    assert played.turns == [60, 60]
    found = verdicts(result)
    assert found["slow", "first_packet_latency"] == ("regressed", 2)
    assert found["fine", "first_packet_latency"] == ("same", 1)
    assert found["slow", "answers"] == ("same", 2)
    assert (result.verdict, result.exit_code) == ("regressed", 10)
    assert folder.parent.name == "reports" and {path.name for path in folder.iterdir()} == {"round-1", "round-2"}
    assert "minimum noise band 1 %, since the noise within one run of the same code was not measured" in " ".join(
        result.notices
    )


def test_a_matched_label_is_measured_again_with_its_counterpart(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = play(monkeypatch, slow=120, fine=100)
    run_gate(options("slow", "fine", matched=True), Limits(), OTHER_PYTHON, NoProgress())
    assert played.asked == [("slow", "fine"), ("slow", "fine")]


def test_a_version_that_cannot_be_measured_is_not_comparable(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Path:
        raise NotComparable("it would be compared with itself")

    monkeypatch.setattr(session, "start", refuse)
    result, _ = run_gate(options("a", "b"), Limits(), OTHER_PYTHON, NoProgress())
    assert {check.reason for check in result.checks} == {"it would be compared with itself"}
    assert (result.verdict, result.exit_code) == ("not comparable", 13)


def test_an_invalid_run_passes_no_check(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = play(monkeypatch, a=100)
    played.said["turn"] = LATE
    result, _ = run_gate(options("a"), Limits(), OTHER_PYTHON, NoProgress())
    assert result.verdict == "not comparable"
    assert "invalid" in result.checks[0].reason


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
    assert played.asked == [] and not (place / "reports").exists()


def test_an_existing_folder_is_not_overwritten(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, a=100)
    with pytest.raises(RunError, match="exists already"):
        run_gate(options("a"), Limits(), Reference(), NoProgress(), place)


def test_a_baseline_is_found_by_conditions_name_or_folder(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = write_run(place / "before", make_run({"a": answers(100, 1)}, run="before"))
    baselines.save(read_run(before), "main")
    for asked in ("auto", "main", str(before)):
        play(monkeypatch, a=130)
        result, _ = run_gate(
            options("a"), Limits(), Reference(baseline=asked), NoProgress(), place / f"on {Path(asked).name}"
        )
        assert verdicts(result)["a", "first_packet_latency"] == ("regressed", 2), asked
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
        baselines.save(read_run(before), name)
    torn = baselines.folder() / "newer" / "turns.jsonl"
    torn.write_bytes(torn.read_bytes()[:300])
    play(monkeypatch, a=130)
    result, _ = run_gate(options("a"), Limits(), Reference(), NoProgress(), place / "auto")
    assert (result.verdict, result.baseline) == ("regressed", "baseline main")
    assert any(each.startswith("baseline newer was not used: it is damaged: turns.jsonl") for each in result.notices)
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
        assert played.asked == []
    shutil.rmtree(baselines.folder() / "main")
    play(monkeypatch, a=130)
    result, _ = run_gate(options("a"), Limits(), Reference(), NoProgress(), place / "none left")
    assert result.verdict == "no baseline" and "baseline newer was not used" in result.checks[0].reason


def test_a_slowdown_within_known_noise_is_not_a_regression(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played = play(monkeypatch, a=103)
    assert run_gate(options("a"), Limits(), OTHER_PYTHON, NoProgress(), place / "1")[0].verdict == "regressed"
    played.base_ms = 96.0  # here the same code shows 7 % against itself
    found, _ = run_aa(options("a"), Limits(), NoProgress(), place / "aa")
    assert [round(finding.same_job or 0, 1) for finding in found.values()] == [0.1]
    played.base_ms = 100.0
    quiet, _ = run_gate(options("a"), Limits(), OTHER_PYTHON, NoProgress(), place / "2")
    assert quiet.verdict != "regressed"
    assert "noise within one run of the same code: " in quiet.notices[0]


def test_flags_win_over_the_file_and_pairs_over_the_turns_of_a_run(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = play(monkeypatch, a=100)
    (place / "bench.toml").write_text("turns = 7\n[[pipeline]]\nname = 'scripted'\nlabel = 'a'\n[gate]\npairs = 30\n")
    assert here("gate", "--no-report").returncode == 12
    assert here("gate", "--no-report", "--pairs", "12", "--out", "2").returncode == 12
    assert here("gate", "--no-report", "--pairs", "12", "--out", "3", "--allow", "no-baseline").returncode == 0
    assert played.turns == [7, 12, 12]
    wrong = here("gate", "--allow", "regressed", "--out", "4")
    assert wrong.returncode == 2 and "regressed" in wrong.stderr
    both = here("gate", "--against", "main", "--baseline", "main")
    assert both.returncode == 2 and "cannot be combined" in both.stderr
