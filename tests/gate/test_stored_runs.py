"""A gate against stored runs: which it takes, and how they limit what it can tell."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.runs import make_run, write_run
from support.simulated_starts import answers, options, simulate, verdicts
from support.virtual import NoProgress

from firstpacket.bench.errors import RunError
from firstpacket.bench.gate import baselines
from firstpacket.bench.gate.change import LEAST_STARTS
from firstpacket.bench.gate.limits import Limits
from firstpacket.bench.gate.run import run_gate
from firstpacket.bench.gate.state import Reference
from firstpacket.bench.record.store import read_run


def test_a_baseline_is_found_by_conditions_name_or_folder(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = write_run(cwd / "before", make_run({"a": answers(100, 1)}, run="before"))
    baselines.save([read_run(before)], "main")
    for wanted in ("auto", "main", str(before)):
        simulate(monkeypatch, a=130)
        result, _ = run_gate(
            options("a"), Limits(), Reference(baseline=wanted), NoProgress(), cwd / f"on {Path(wanted).name}"
        )
        assert verdicts(result)["a", "first_packet_latency"] == ("regressed", 1), wanted
        assert result.baseline == ("baseline before" if wanted == str(before) else "baseline main")
    simulated = simulate(monkeypatch, a=100)
    simulated.more["environment"] = {"cpu": "Another CPU"}
    elsewhere, _ = run_gate(options("a"), Limits(), Reference(), NoProgress(), cwd / "elsewhere")
    assert elsewhere.verdict == "no baseline"
    refused, _ = run_gate(options("a"), Limits(), Reference(baseline="main"), NoProgress(), cwd / "refused")
    assert (refused.verdict, refused.exit_code) == ("not comparable", 13)
    assert "Another CPU" in refused.checks[0].reason


def test_a_damaged_baseline_is_passed_over_or_refused_before_measuring(
    cwd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = write_run(cwd / "before", make_run({"a": answers(100, 1)}, run="before"))
    for name in ("main", "newer"):
        baselines.save([read_run(before)], name)
    (torn,) = (baselines.folder() / "newer").glob("*/turns.jsonl")
    torn.write_bytes(torn.read_bytes()[:300])
    simulate(monkeypatch, a=130)
    result, _ = run_gate(options("a"), Limits(), Reference(), NoProgress(), cwd / "auto")
    assert (result.verdict, result.baseline) == ("regressed", "baseline main")
    assert any(each.startswith("baseline newer was not used: it is damaged: ") for each in result.notices)
    (cwd / "before/turns.jsonl").write_text("")
    (cwd / "empty").mkdir()
    for wanted, problem in (
        ("newer", "'newer' is damaged"),
        ("before", "no answered turn"),
        ("empty", "is not a run folder: manifest.json cannot be read"),
    ):
        simulated = simulate(monkeypatch, a=130)
        with pytest.raises(RunError, match=problem):
            run_gate(options("a"), Limits(), Reference(baseline=wanted), NoProgress(), cwd / wanted / "gate")
        assert simulated.pairs == []
    shutil.rmtree(baselines.folder() / "main")
    simulate(monkeypatch, a=130)
    result, _ = run_gate(options("a"), Limits(), Reference(), NoProgress(), cwd / "none left")
    assert result.verdict == "no baseline" and "baseline newer was not used" in result.checks[0].reason


def test_the_band_comes_from_the_runs_of_the_baseline(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One run is assumed to differ by 1 %; three that differ by 6 % show that 8 % slower is nothing unusual."""
    runs = [
        read_run(write_run(cwd / f"b{n}", make_run({"a": answers(100 * (1 + 0.06 * n), 1 + n, sd=0.01)}, run=f"b{n}")))
        for n in (-1, 0, 1)
    ]
    for count, verdict, basis in (
        (1, "regressed", "against one stored run: how much runs differ is unknown, so 1.0 % is assumed, and no error"),
        (2, "regressed", "against 2 stored runs: too few to tell how much runs differ, so 1.0 % is assumed"),
        (3, "inconclusive", "against 3 stored runs, which differ by 6."),
    ):
        baselines.save(runs[:count], "main", replace=True)
        simulated = simulate(monkeypatch, a=108)
        result, _ = run_gate(options("a"), Limits(), Reference(baseline="main"), NoProgress(), cwd / str(count))
        check = result.checks[0]
        assert (check.verdict, len(simulated.pairs)) == (verdict, LEAST_STARTS), check.reason
        assert basis in check.reason
        assert check.change is not None and (check.change.unit, check.change.starts) == ("run", count)


def test_a_baseline_of_an_earlier_version_is_not_comparable(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = write_run(cwd / "before", make_run({"a": answers(100, 1)}, run="before"))
    kept = baselines.save([read_run(before)], "main").stored[0].path
    for file in kept.iterdir():
        file.rename(kept.parent / file.name)
    kept.rmdir()
    simulate(monkeypatch, a=100)
    found, folder = run_gate(options("a"), Limits(), Reference(baseline="main"), NoProgress())
    assert (found.verdict, found.exit_code) == ("not comparable", 13)
    assert f"bench baseline save {folder / 'run'} --name main --replace" in found.checks[0].reason
    simulate(monkeypatch, a=100)
    passed_over, _ = run_gate(options("a"), Limits(), Reference(), NoProgress(), cwd / "auto")
    assert passed_over.verdict == "no baseline"
    assert any("baseline main was not used: it was saved by an earlier version" in each for each in passed_over.notices)
